// SPDX-License-Identifier: Apache-2.0
/// sparse_mac: y[o,p] = sat((acc[o,p]*M[o] + skip*SKIP_K + bias'[o]) >> SHIFT), acc[o,p] = sum_a A[o,a] * z[a,p].
///
/// For each group of Q pixels, three functions in a dataflow region, connected by ping-pong arrays (where memories are
/// single buffers, those functions that share one follow each other):
///   load    z of the group into one memory per lane, one address per step
///   walk    the program, one word per step: P lanes, each one coefficient for Q pixels; accumulators are cleared once
///           per group and accumulate across rows; at a row's end the Q running sums are kept
///   drain   pixel by pixel, channel by channel: a row's sum is its running sum minus the previous one of its lane,
///           exact modulo 2^ACCW; then the skip connection, where there is one, and the requantizer; one value in
///           REQUANT_CYCLES cycles, so that a compiler may share its multipliers
/// Program word: for each lane {last, where, coefficient}, lane 0 and the coefficient lowest. `where` is an address, or
/// with STEPW a step to it from the address before. Without ROW_BIT there is no `last`: the largest step goes to address
/// 0 and begins a row. Requant word: {bias with its rounding half, multiplier}, the multiplier lowest.
#ifndef PENNI_SPARSE_MAC_HPP
#define PENNI_SPARSE_MAC_HPP

#include <hls_stream.h>

#include "penni_mac.hpp"
#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
struct sparse_mac_types {
    typedef integer<C::ZW, C::Z_SIGNED> z_t;
    typedef word<mac_types<C>::UNITW> running_t;
    typedef integer<C::ACCW, true> acc_t;
    static const int UNITS = mac_types<C>::UNITS;
    static const int WHEREW = C::STEPW > 0 ? C::STEPW : C::ADDRW;
    typedef integer<C::TOTALW, true> total_t;
    static const int BEAT_VALUES = C::TILED ? C::Q : 1;
    static const int BEAT = BEAT_VALUES * C::ZW;  ///< width of an input word
    static const int GROUPS = (C::PIXELS + C::Q - 1) / C::Q;
    static_assert(C::TOTALW <= 62, "totals are proven to fit 62 bits");
    static_assert(C::ADDRW == address_bits(C::DEPTH), "an address reaches every z and no further");
};

/// The next value of the skip connection; 0 where there is none.
template <typename C>
integer<C::SKIPW, C::SKIP_SIGNED> sparse_mac_skip() {
    PENNI_INLINE
    return 0;
}

template <typename C>
integer<C::SKIPW, C::SKIP_SIGNED> sparse_mac_skip(hls::stream<word<C::SKIPW> >& skip) {
    PENNI_INLINE
    return from_bits<C::SKIPW, C::SKIP_SIGNED>(skip.read());
}

template <typename C>
void sparse_mac_load(int group, hls::stream<word<sparse_mac_types<C>::BEAT> >& in,
                     typename sparse_mac_types<C>::z_t (&z)[C::P][C::DEPTH][C::Q]) {
    typedef typename sparse_mac_types<C>::z_t z_t;
    constexpr int VALUES = sparse_mac_types<C>::BEAT_VALUES;
Pixels:
    for (int first = 0; first < C::Q; first += VALUES) {
    Addresses:
        for (int address = 0; address < C::DEPTH; ++address) {
            PENNI_PIPELINE(1)
            // Tiles always hold Q pixels; a map has no input for the missing pixels of a short last group.
            word<sparse_mac_types<C>::BEAT> beat = word<sparse_mac_types<C>::BEAT>();
            if (C::TILED || group * C::Q + first < C::PIXELS) beat = in.read();
        Values:
            for (int i = 0; i < VALUES; ++i) {
                PENNI_UNROLL
                const z_t value = from_bits<C::ZW, C::Z_SIGNED>(get<C::ZW, sparse_mac_types<C>::BEAT>(beat, i));
            Lanes:
                for (int lane = 0; lane < C::P; ++lane) {
                    PENNI_UNROLL
                    z[lane][address][first + i] = value;
                }
            }
        }
    }
}

template <typename C>
void sparse_mac_walk(const typename sparse_mac_types<C>::z_t (&z)[C::P][C::DEPTH][C::Q],
                     typename sparse_mac_types<C>::running_t (&sums)[C::P][C::LANE_ROWS][sparse_mac_types<C>::UNITS]) {
    constexpr int UNITS = sparse_mac_types<C>::UNITS;
    constexpr int WHEREW = sparse_mac_types<C>::WHEREW;
    constexpr int ENTRY = C::CW + WHEREW + C::ROW_BIT;
    constexpr int ROW_STEP = (1 << WHEREW) - 1;  // without ROW_BIT: begins a row
    typename mac_types<C>::sum_t accumulators[C::P][UNITS];
    typename mac_types<C>::extra_t extras[C::P][UNITS];
    counter<C::LANE_ROWS> rows[C::P];
    integer<C::ADDRW, false> addresses[C::P];
    bool ended[C::P];
    PENNI_PARTITION(accumulators, 0)
    PENNI_PARTITION(extras, 0)
    PENNI_PARTITION(rows, 0)
    PENNI_PARTITION(addresses, 0)
    PENNI_PARTITION(ended, 0)
Clear:
    for (int lane = 0; lane < C::P; ++lane) {
        PENNI_UNROLL
        rows[lane] = 0;
        addresses[lane] = 0;
        ended[lane] = false;
    ClearUnits:
        for (int unit = 0; unit < UNITS; ++unit) {
            PENNI_UNROLL
            accumulators[lane][unit] = 0;
            extras[lane][unit] = 0;
        }
    }

    // One step more where the last row ends with the program.
Walk:
    for (int step = 0; step < C::LEN + !C::ROW_BIT; ++step) {
        PENNI_PIPELINE(1)
        word<C::P * ENTRY> entries = word<C::P * ENTRY>();
        if (step < C::LEN) entries = C::program(step);
    Lanes:
        for (int lane = 0; lane < C::P; ++lane) {
            PENNI_UNROLL
            const word<ENTRY> entry = get<ENTRY, C::P * ENTRY>(entries, lane);
            const integer<C::CW, true> coefficient = from_bits<C::CW, true>(bits_at<C::CW, ENTRY>(entry, 0));
            const integer<WHEREW, false> where = from_bits<WHEREW, false>(bits_at<WHEREW, ENTRY>(entry, C::CW));
            const bool last = C::ROW_BIT && bits_at<1, ENTRY>(entry, ENTRY - 1) != 0;
            const bool begins = !C::ROW_BIT && (where == ROW_STEP || step == C::LEN);
            integer<C::ADDRW, false> address = begins ? 0 : int(where);
            if (C::STEPW > 0 && !begins && !ended[lane]) address += addresses[lane];
            addresses[lane] = address;
            ended[lane] = last;

            if (begins) {  // a row: the sum of the one before is complete
            KeepBefore:
                for (int unit = 0; unit < UNITS; ++unit) {
                    PENNI_UNROLL
                    sums[lane][rows[lane]][unit] = mac_word<C>::of(accumulators[lane][unit], extras[lane][unit]);
                }
                ++rows[lane];
            }
        Multiply:
            for (int unit = 0; unit < UNITS; ++unit) {
                PENNI_UNROLL
                mac_unit<C>::add(accumulators[lane][unit], extras[lane][unit], coefficient, z[lane][address], unit);
            }
            if (last) {
            Keep:
                for (int unit = 0; unit < UNITS; ++unit) {
                    PENNI_UNROLL
                    sums[lane][rows[lane]][unit] = mac_word<C>::of(accumulators[lane][unit], extras[lane][unit]);
                }
                ++rows[lane];
            }
        }
    }
}

template <typename C, typename... Skip>
void sparse_mac_drain(int group,
                      const typename sparse_mac_types<C>::running_t (&sums)[C::P][C::LANE_ROWS][sparse_mac_types<C>::UNITS],
                      hls::stream<word<C::YW> >& out, Skip&... skip) {
    typedef typename sparse_mac_types<C>::running_t running_t;
    typedef typename sparse_mac_types<C>::acc_t acc_t;
    typedef typename sparse_mac_types<C>::total_t total_t;
    constexpr int LANEW = address_bits(C::P);
    constexpr int CONSTANTS = C::MW + C::BW;
    running_t before[C::P];  // the running sum of the lane's previous row
    counter<C::LANE_ROWS> rows[C::P];
    PENNI_PARTITION(before, 0)
    PENNI_PARTITION(rows, 0)

Pixels:
    for (int pixel = 0; pixel < C::Q; ++pixel) {
    Channels:
        for (int channel = 0; channel < C::CO; ++channel) {
            PENNI_PIPELINE(C::REQUANT_CYCLES)
            if (channel == 0) {
            First:
                for (int lane = 0; lane < C::P; ++lane) {
                    PENNI_UNROLL
                    before[lane] = 0;
                    rows[lane] = 0;
                }
            }
            const word<CONSTANTS> constants = C::requant(channel);
            const integer<C::MW, false> multiplier = from_bits<C::MW, false>(bits_at<C::MW, CONSTANTS>(constants, 0));
            const integer<C::BW, true> bias = from_bits<C::BW, true>(bits_at<C::BW, CONSTANTS>(constants, C::MW));
            const integer<LANEW, false> lane = from_bits<LANEW, false>(C::lanes(channel));

            const running_t now = sums[lane][rows[lane]][pixel / mac_types<C>::PIXELS];
            const acc_t sum = mac_row_sum<C>::of(now, before[lane], pixel % mac_types<C>::PIXELS);
            before[lane] = now;
            ++rows[lane];

            if (group * C::Q + pixel < C::PIXELS) {
                total_t total = multiply<total_t>(sum, multiplier);
                total += bias;
                if (C::SKIP) total += multiply<total_t>(sparse_mac_skip<C>(skip...), integer<address_bits(C::SKIP_K + 1), false>(C::SKIP_K));
                out.write(to_bits<C::YW>(saturate<C::YW, C::Y_SIGNED>(total_t(total >> C::SHIFT))));
            }
        }
    }
}

/// The groups one after the other. Z_HALVES, SUM_HALVES: the memory is a ping-pong buffer.
template <typename C, bool Z_HALVES, bool SUM_HALVES>
struct sparse_mac_groups;

template <typename C>
struct sparse_mac_groups<C, true, true> {
    typedef sparse_mac_types<C> types;
    template <typename... Skip>
    static void run(hls::stream<word<types::BEAT> >& in, hls::stream<word<C::YW> >& out, Skip&... skip) {
        PENNI_INLINE
    Groups:
        for (int group = 0; group < types::GROUPS; ++group) {
            PENNI_DATAFLOW
            typename types::z_t z[C::P][C::DEPTH][C::Q];
            typename types::running_t sums[C::P][C::LANE_ROWS][types::UNITS];
            PENNI_PARTITION(z, 1)
            PENNI_RESHAPE(z, 3)
            if (C::Z_STYLE == 2) {
                PENNI_BIND_ULTRA(z)
            }
            PENNI_PARTITION(sums, 1)
            PENNI_RESHAPE(sums, 3)
            sparse_mac_load<C>(group, in, z);
            sparse_mac_walk<C>(z, sums);
            sparse_mac_drain<C>(group, sums, out, skip...);
        }
    }
};

template <typename C>
void sparse_mac_load_walk(
    int group, hls::stream<word<sparse_mac_types<C>::BEAT> >& in,
    typename sparse_mac_types<C>::running_t (&sums)[C::P][C::LANE_ROWS][sparse_mac_types<C>::UNITS]) {
    typename sparse_mac_types<C>::z_t z[C::P][C::DEPTH][C::Q];
    PENNI_PARTITION(z, 1)
    PENNI_RESHAPE(z, 3)
    if (C::Z_STYLE == 2) {
        PENNI_BIND_ULTRA(z)
    }
    sparse_mac_load<C>(group, in, z);
    sparse_mac_walk<C>(z, sums);
}

template <typename C>
struct sparse_mac_groups<C, false, true> {
    typedef sparse_mac_types<C> types;
    template <typename... Skip>
    static void run(hls::stream<word<types::BEAT> >& in, hls::stream<word<C::YW> >& out, Skip&... skip) {
        PENNI_INLINE
    Groups:
        for (int group = 0; group < types::GROUPS; ++group) {
            PENNI_DATAFLOW
            typename types::running_t sums[C::P][C::LANE_ROWS][types::UNITS];
            PENNI_PARTITION(sums, 1)
            PENNI_RESHAPE(sums, 3)
            sparse_mac_load_walk<C>(group, in, sums);
            sparse_mac_drain<C>(group, sums, out, skip...);
        }
    }
};

template <typename C, typename... Skip>
void sparse_mac_walk_drain(int group, const typename sparse_mac_types<C>::z_t (&z)[C::P][C::DEPTH][C::Q],
                           hls::stream<word<C::YW> >& out, Skip&... skip) {
    typename sparse_mac_types<C>::running_t sums[C::P][C::LANE_ROWS][sparse_mac_types<C>::UNITS];
    PENNI_PARTITION(sums, 1)
    PENNI_RESHAPE(sums, 3)
    sparse_mac_walk<C>(z, sums);
    sparse_mac_drain<C>(group, sums, out, skip...);
}

template <typename C>
struct sparse_mac_groups<C, true, false> {
    typedef sparse_mac_types<C> types;
    template <typename... Skip>
    static void run(hls::stream<word<types::BEAT> >& in, hls::stream<word<C::YW> >& out, Skip&... skip) {
        PENNI_INLINE
    Groups:
        for (int group = 0; group < types::GROUPS; ++group) {
            PENNI_DATAFLOW
            typename types::z_t z[C::P][C::DEPTH][C::Q];
            PENNI_PARTITION(z, 1)
            PENNI_RESHAPE(z, 3)
            if (C::Z_STYLE == 2) {
                PENNI_BIND_ULTRA(z)
            }
            sparse_mac_load<C>(group, in, z);
            sparse_mac_walk_drain<C>(group, z, out, skip...);
        }
    }
};

template <typename C>
struct sparse_mac_groups<C, false, false> {
    typedef sparse_mac_types<C> types;
    template <typename... Skip>
    static void run(hls::stream<word<types::BEAT> >& in, hls::stream<word<C::YW> >& out, Skip&... skip) {
        PENNI_INLINE
        typename types::z_t z[C::P][C::DEPTH][C::Q];
        PENNI_PARTITION(z, 1)
        PENNI_RESHAPE(z, 3)
        if (C::Z_STYLE == 2) {
            PENNI_BIND_ULTRA(z)
        }
    Groups:
        for (int group = 0; group < types::GROUPS; ++group) {
            sparse_mac_load<C>(group, in, z);
            sparse_mac_walk_drain<C>(group, z, out, skip...);
        }
    }
};

/// `skip` is one stream where C::SKIP, else none.
template <typename C, typename... Skip>
void sparse_mac(hls::stream<word<sparse_mac_types<C>::BEAT> >& in, hls::stream<word<C::YW> >& out, Skip&... skip) {
    static_assert(sizeof...(Skip) == C::SKIP, "one skip stream where there is a skip connection");
    sparse_mac_groups<C, C::Z_HALVES, C::SUM_HALVES>::run(in, out, skip...);
}

}  // namespace penni

#endif
