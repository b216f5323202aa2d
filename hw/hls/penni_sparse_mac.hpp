// SPDX-License-Identifier: Apache-2.0
/// sparse_mac: y[o,p] = sat((acc[o,p]*M[o] + skip*SKIP_K + bias'[o]) >> SHIFT), acc[o,p] = sum_a A[o,a] * z[a,p].
///
/// Three processes of the top, for one group of Q pixels after the other, whatever frame it belongs to:
///   load    z of the group into one memory per lane, one address per step
///   walk    the program, one word per step: P lanes, each one coefficient for Q pixels; accumulators are cleared once
///           per group and accumulate across rows; at a row's end the Q running sums are kept
///   drain   pixel by pixel, channel by channel: a row's sum is its running sum minus the previous one of its lane,
///           exact modulo 2^ACCW; then the skip connection, where there is one, and the requantizer; one value in
///           REQUANT_CYCLES cycles, so that a compiler may share its multipliers
/// Streams of blocks join them: of two blocks, where Z_HALVES or SUM_HALVES say so, or of one, for which both take turns.
/// A compiler without them calls sparse_mac, which does the same in one process.
/// Program word: for each lane {last, where, coefficient}, lane 0 and the coefficient lowest. `where` is an address, or
/// with STEPW a step to it from the address before. Without ROW_BIT there is no `last`: the largest step goes to address
/// 0 and begins a row. Requant word: {bias with its rounding half, multiplier}, the multiplier lowest.
#ifndef PENNI_SPARSE_MAC_HPP
#define PENNI_SPARSE_MAC_HPP

#include <hls_stream.h>

#include "penni_blocks.hpp"
#include "penni_mac.hpp"
#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
struct sparse_mac_types {
    typedef integer<C::ZW, C::Z_SIGNED> z_t;
    typedef word<mac_types<C>::UNITW> running_t;
    typedef integer<C::ACCW, true> acc_t;
    typedef integer<C::TOTALW, true> total_t;
    typedef integer<C::SKIPW, C::SKIP_SIGNED> skip_t;
    static const int UNITS = mac_types<C>::UNITS;
    static const int WHEREW = C::STEPW > 0 ? C::STEPW : C::ADDRW;
    static const int BEAT_VALUES = C::TILED ? C::Q : 1;
    static const int BEAT = BEAT_VALUES * C::ZW;  ///< width of an input word
    static const int GROUPS = (C::PIXELS + C::Q - 1) / C::Q;
    typedef numbers<C::ZW, C::Z_SIGNED, C::Q> z_word;                  ///< Q pixels at one address
    typedef numbers<mac_types<C>::UNITW, false, UNITS> sums_word;      ///< Q pixels of one row
    typedef z_word z_block[C::P][C::DEPTH];
    typedef sums_word sums_block[C::P][C::LANE_ROWS];
    static_assert(C::TOTALW <= 62, "totals are proven to fit 62 bits");
    static_assert(C::ADDRW == address_bits(C::DEPTH), "an address reaches every z and no further");
};

template <typename C, bool TILED = C::TILED>
struct sparse_mac_filler;

/// Tiles: each beat is a word of the z memory. The pixels that a short last group lacks are there, too.
template <typename C>
struct sparse_mac_filler<C, true> {
    typedef sparse_mac_types<C> types;
    static void fill(int, hls::stream<word<types::BEAT> >& in, typename types::z_block& z) {
        PENNI_INLINE
    Addresses:
        for (int address = 0; address < C::DEPTH; ++address) {
            PENNI_PIPELINE(1)
            word<C::ZW> bits[C::Q];
            typename types::z_t values[C::Q];
            PENNI_PARTITION(bits, 0)
            PENNI_PARTITION(values, 0)
            unpack<C::ZW>(in.read(), bits);
        Values:
            for (int i = 0; i < C::Q; ++i) {
                PENNI_UNROLL
                values[i] = from_bits<C::ZW, C::Z_SIGNED>(bits[i]);
            }
        Lanes:
            for (int lane = 0; lane < C::P; ++lane) {
                PENNI_UNROLL
                z[lane][address] = together<C::ZW, C::Z_SIGNED, C::Q>(values);
            }
        }
    }
};

/// A map: a value a beat, pixel by pixel. Words are put together beside the z memory, which takes whole ones.
template <typename C>
struct sparse_mac_filler<C, false> {
    typedef sparse_mac_types<C> types;
    static void fill(int group, hls::stream<word<types::BEAT> >& in, typename types::z_block& z) {
        PENNI_INLINE
        typename types::z_word pixels[C::DEPTH];
        counter<C::DEPTH> address = 0;
        counter<C::Q> pixel = 0;
    Values:
        for (int step = 0; step < C::Q * C::DEPTH; ++step) {
            PENNI_PIPELINE(1)
            PENNI_DISTANCE(pixels, 2)
            const int place = C::DEPTH == 1 ? 0 : int(address);  // a single word is a register: no distance
            typename types::z_t value = 0;                       // what a short last group lacks
            if (group * C::Q + int(pixel) < C::PIXELS) value = from_bits<C::ZW, C::Z_SIGNED>(in.read());
            const typename types::z_word all = shift_in<C::ZW, C::Z_SIGNED, C::Q>(pixels[place], value);
            pixels[place] = all;
            if (pixel == C::Q - 1) {
            Lanes:
                for (int lane = 0; lane < C::P; ++lane) {
                    PENNI_UNROLL
                    z[lane][place] = all;
                }
            }
            const bool last = address == C::DEPTH - 1;
            address = last ? 0 : int(address) + 1;
            if (last) pixel = int(pixel) + 1;
        }
    }
};

/// One group.
template <typename C>
void sparse_mac_walk_group(const typename sparse_mac_types<C>::z_block& z, typename sparse_mac_types<C>::sums_block& sums) {
    PENNI_INLINE
    typedef sparse_mac_types<C> types;
    typedef mac_types<C> mac;
    constexpr int UNITS = types::UNITS;
    constexpr int WHEREW = types::WHEREW;
    constexpr int ENTRY = C::CW + WHEREW + C::ROW_BIT;
    constexpr int ROW_STEP = (1 << WHEREW) - 1;  // without ROW_BIT: begins a row
    typename mac::sum_t accumulators[C::P][UNITS];
    typename mac::extra_t extras[C::P][UNITS];
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
        word<ENTRY> entries[C::P];
        PENNI_PARTITION(entries, 0)
        unpack<ENTRY>(C::program(step < C::LEN ? step : 0), entries);
    Lanes:
        for (int lane = 0; lane < C::P; ++lane) {
            PENNI_UNROLL
            const word<ENTRY> entry = entries[lane];
            const integer<C::CW, true> coefficient = from_bits<C::CW, true>(bits_at<C::CW, 0, ENTRY>(entry));
            const integer<WHEREW, false> where = from_bits<WHEREW, false>(bits_at<WHEREW, C::CW, ENTRY>(entry));
            const bool last = C::ROW_BIT && bits_at<1, ENTRY - 1, ENTRY>(entry) != 0;
            const bool begins = !C::ROW_BIT && (where == ROW_STEP || step == C::LEN);
            integer<C::ADDRW, false> address = begins ? 0 : int(where);
            if (C::STEPW > 0 && !begins && !ended[lane]) address += addresses[lane];
            addresses[lane] = address;
            ended[lane] = last;

            // A row that begins completes the sum of the one before, which its own products come upon.
            if (begins) mac_keep<C>(accumulators[lane], extras[lane], sums[lane][rows[lane]]);
            typename types::z_t values[C::Q];
            PENNI_PARTITION(values, 0)
            spread<C::ZW, C::Z_SIGNED, C::Q>(z[lane][address], values);
        Multiply:
            for (int unit = 0; unit < UNITS; ++unit) {
                PENNI_UNROLL
                mac_unit<C>::add(accumulators[lane][unit], extras[lane][unit], coefficient, values, unit);
            }
            if (last) mac_keep<C>(accumulators[lane], extras[lane], sums[lane][rows[lane]]);
            if (begins || last) ++rows[lane];
        }
    }
}

/// The sum of the next row of `channel`'s lane, of pixel `pixel` of the group. before: the running sums of each lane's
/// previous row; rows: its next one. Both start anew with each pixel.
template <typename C>
typename sparse_mac_types<C>::acc_t sparse_mac_row_sum(const typename sparse_mac_types<C>::sums_block& sums,
                                                       typename sparse_mac_types<C>::running_t (&before)[C::P],
                                                       counter<C::LANE_ROWS> (&rows)[C::P], int channel, int pixel) {
    PENNI_INLINE
    typedef mac_types<C> mac;
    constexpr int LANEW = address_bits(C::P);
    if (channel == 0) {
    First:
        for (int lane = 0; lane < C::P; ++lane) {
            PENNI_UNROLL
            before[lane] = 0;
            rows[lane] = 0;
        }
    }
    const integer<LANEW, false> lane = from_bits<LANEW, false>(C::lanes(channel));
    const typename sparse_mac_types<C>::running_t now =
        number_at<mac::UNITW, false, mac::UNITS>(sums[lane][rows[lane]], pixel / mac::PIXELS);
    const typename mac::acc_t sum = mac_row_sum<C>::of(now, before[lane], pixel % mac::PIXELS);
    before[lane] = now;
    ++rows[lane];
    return sum;
}

/// acc*M + bias'.
template <typename C>
typename sparse_mac_types<C>::total_t sparse_mac_total(const typename sparse_mac_types<C>::acc_t& sum, int channel) {
    PENNI_INLINE
    typedef typename sparse_mac_types<C>::total_t total_t;
    constexpr int CONSTANTS = C::MW + C::BW;
    const word<CONSTANTS> constants = C::requant(channel);
    const integer<C::MW, false> multiplier = from_bits<C::MW, false>(bits_at<C::MW, 0, CONSTANTS>(constants));
    const integer<C::BW, true> bias = from_bits<C::BW, true>(bits_at<C::BW, C::MW, CONSTANTS>(constants));
    return total_t(product<total_t, (C::REQUANT_CYCLES > 2)>::of(sum, multiplier) + bias);
}

template <typename C>
word<C::YW> sparse_mac_result(const typename sparse_mac_types<C>::total_t& total) {
    PENNI_INLINE
    typedef typename sparse_mac_types<C>::total_t total_t;
    return to_bits<C::YW>(saturate<C::YW, C::Y_SIGNED>(total_t(total >> C::SHIFT)));
}

/// One group, without a skip connection. The pixels that a short last group lacks do not leave.
template <typename C>
void sparse_mac_drain_group(int group, const typename sparse_mac_types<C>::sums_block& sums, hls::stream<word<C::YW> >& out) {
    PENNI_INLINE
    typedef sparse_mac_types<C> types;
    static_assert(!C::SKIP, "with a skip connection it takes its stream");
    typename types::running_t before[C::P];
    counter<C::LANE_ROWS> rows[C::P];
    PENNI_PARTITION(before, 0)
    PENNI_PARTITION(rows, 0)
Pixels:
    for (int pixel = 0; pixel < C::Q; ++pixel) {
    Channels:
        for (int channel = 0; channel < C::CO; ++channel) {
            PENNI_PIPELINE(C::REQUANT_CYCLES)
            const typename types::acc_t sum = sparse_mac_row_sum<C>(sums, before, rows, channel, pixel);
            if (group * C::Q + pixel < C::PIXELS) out.write(sparse_mac_result<C>(sparse_mac_total<C>(sum, channel)));
        }
    }
}

/// The same with the skip connection, which comes in the order of the result.
template <typename C>
void sparse_mac_drain_group(int group, const typename sparse_mac_types<C>::sums_block& sums, hls::stream<word<C::YW> >& out,
                            hls::stream<word<C::SKIPW> >& skip) {
    PENNI_INLINE
    typedef sparse_mac_types<C> types;
    typedef integer<address_bits(C::SKIP_K + 1), false> skip_k_t;
    static_assert(C::SKIP, "without a skip connection it takes no stream");
    typename types::running_t before[C::P];
    counter<C::LANE_ROWS> rows[C::P];
    PENNI_PARTITION(before, 0)
    PENNI_PARTITION(rows, 0)
Pixels:
    for (int pixel = 0; pixel < C::Q; ++pixel) {
    Channels:
        for (int channel = 0; channel < C::CO; ++channel) {
            PENNI_PIPELINE(C::REQUANT_CYCLES)
            const typename types::acc_t sum = sparse_mac_row_sum<C>(sums, before, rows, channel, pixel);
            if (group * C::Q + pixel < C::PIXELS) {
                typename types::total_t total = sparse_mac_total<C>(sum, channel);
                const typename types::skip_t value = from_bits<C::SKIPW, C::SKIP_SIGNED>(skip.read());
                total += product<typename types::total_t, (C::REQUANT_CYCLES > 2)>::of(value, skip_k_t(C::SKIP_K));
                out.write(sparse_mac_result<C>(total));
            }
        }
    }
}

/// All three in turn, as one process.
template <typename C>
void sparse_mac(hls::stream<word<sparse_mac_types<C>::BEAT> >& in, hls::stream<word<C::YW> >& out) {
    typename sparse_mac_types<C>::z_block z;
    typename sparse_mac_types<C>::sums_block sums;
Groups:
    for (int group = 0; group < sparse_mac_types<C>::GROUPS; ++group) {
        sparse_mac_filler<C>::fill(group, in, z);
        sparse_mac_walk_group<C>(z, sums);
        sparse_mac_drain_group<C>(group, sums, out);
    }
}

template <typename C>
void sparse_mac(hls::stream<word<sparse_mac_types<C>::BEAT> >& in, hls::stream<word<C::YW> >& out,
                hls::stream<word<C::SKIPW> >& skip) {
    typename sparse_mac_types<C>::z_block z;
    typename sparse_mac_types<C>::sums_block sums;
Groups:
    for (int group = 0; group < sparse_mac_types<C>::GROUPS; ++group) {
        sparse_mac_filler<C>::fill(group, in, z);
        sparse_mac_walk_group<C>(z, sums);
        sparse_mac_drain_group<C>(group, sums, out, skip);
    }
}
#ifndef __BAMBU__
template <typename C>
void sparse_mac_load(hls::stream<word<sparse_mac_types<C>::BEAT> >& in,
                     hls::stream_of_blocks<typename sparse_mac_types<C>::z_block>& z) {
Groups:
    for (int group = 0; group < sparse_mac_types<C>::GROUPS; ++group) {
        hls::write_lock<typename sparse_mac_types<C>::z_block> block(z);
        sparse_mac_filler<C>::fill(group, in, block);
    }
}

template <typename C>
void sparse_mac_walk(hls::stream_of_blocks<typename sparse_mac_types<C>::z_block>& z,
                     hls::stream_of_blocks<typename sparse_mac_types<C>::sums_block>& sums) {
Groups:
    for (int group = 0; group < sparse_mac_types<C>::GROUPS; ++group) {
        hls::read_lock<typename sparse_mac_types<C>::z_block> from(z);
        hls::write_lock<typename sparse_mac_types<C>::sums_block> into(sums);
        sparse_mac_walk_group<C>(from, into);
    }
}

template <typename C>
void sparse_mac_drain(hls::stream_of_blocks<typename sparse_mac_types<C>::sums_block>& sums,
                      hls::stream<word<C::YW> >& out) {
Groups:
    for (int group = 0; group < sparse_mac_types<C>::GROUPS; ++group) {
        hls::read_lock<typename sparse_mac_types<C>::sums_block> block(sums);
        sparse_mac_drain_group<C>(group, block, out);
    }
}

template <typename C>
void sparse_mac_drain(hls::stream_of_blocks<typename sparse_mac_types<C>::sums_block>& sums,
                      hls::stream<word<C::YW> >& out, hls::stream<word<C::SKIPW> >& skip) {
Groups:
    for (int group = 0; group < sparse_mac_types<C>::GROUPS; ++group) {
        hls::read_lock<typename sparse_mac_types<C>::sums_block> block(sums);
        sparse_mac_drain_group<C>(group, block, out, skip);
    }
}
#endif

}  // namespace penni

#endif
