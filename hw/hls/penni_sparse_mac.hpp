// SPDX-License-Identifier: Apache-2.0
/// sparse_mac: y[o,p] = sat((acc[o,p]*M[o] + skip*SKIP_K + bias'[o]) >> SHIFT), acc[o,p] = sum_a A[o,a] * z[a,p].
///
/// Three processes of the top, for one group of Q pixels after the other, BLOCK of them in a block:
///   load    z of the groups into one memory per lane, one address per step
///   walk    the program, one word per step: P lanes, each one coefficient for Q pixels; accumulators are cleared once
///           per group and accumulate across rows; at a row's end the Q running sums are kept
///   drain   pixel by pixel, channel by channel: a row's sum is its running sum minus the previous one of its lane,
///           exact modulo 2^ACCW; then the skip connection, where there is one, and the requantizer; one value in
///           REQUANT_CYCLES cycles, so that a compiler may share its multipliers
/// Streams of blocks join them: of two blocks, where Z_HALVES or SUM_HALVES say so, or of one, for which both take turns.
/// A loop over a block runs empty at its end, so blocks hold several groups where a program is short; those that the last
/// block lacks take their steps, but nothing comes in or leaves. A compiler without streams of blocks calls sparse_mac,
/// which does the same in one process.
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
    static const int BLOCKS = (GROUPS + C::BLOCK - 1) / C::BLOCK;
    static const int BEATS = C::DEPTH * (C::TILED ? GROUPS : C::PIXELS);  ///< input words of a frame
    static const int VALUES = C::PIXELS * C::CO;                          ///< results of a frame
    typedef numbers<C::ZW, C::Z_SIGNED, C::Q> z_word;                  ///< Q pixels at one address
    typedef numbers<mac_types<C>::UNITW, false, UNITS> sums_word;      ///< Q pixels of one row
    typedef z_word z_block[C::P][C::BLOCK * C::DEPTH];
    typedef sums_word sums_block[C::P][C::BLOCK * C::LANE_ROWS];
    typedef counter<BEATS> beats_left;    ///< that are still to come in the frame
    typedef counter<VALUES> values_left;  ///< that are still to leave
    static_assert(C::TOTALW <= 62, "totals are proven to fit 62 bits");
    static_assert(C::ADDRW == address_bits(C::DEPTH), "an address reaches every z and no further");
};

template <typename C, bool TILED = C::TILED>
struct sparse_mac_filler;

/// Tiles: each beat is a word of the z memory. The pixels that a short last group lacks are there, too.
template <typename C>
struct sparse_mac_filler<C, true> {
    typedef sparse_mac_types<C> types;
    static void fill(typename types::beats_left& left, hls::stream<word<types::BEAT> >& in, typename types::z_block& z) {
        PENNI_INLINE
    Addresses:
        for (int address = 0; address < C::BLOCK * C::DEPTH; ++address) {
            PENNI_PIPELINE(1)
            word<C::ZW> bits[C::Q];
            typename types::z_t values[C::Q];
            PENNI_PARTITION(bits, 0)
            PENNI_PARTITION(values, 0)
            word<types::BEAT> beat = word<types::BEAT>();
            if (left != 0) {
                beat = in.read();
                left = left - 1;
            }
            unpack<C::ZW>(beat, bits);
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
    static void fill(typename types::beats_left& left, hls::stream<word<types::BEAT> >& in, typename types::z_block& z) {
        PENNI_INLINE
        typename types::z_word pixels[C::DEPTH];
        counter<C::DEPTH> address = 0;
        counter<C::Q> pixel = 0;
        counter<C::BLOCK * C::DEPTH> first = 0;  // the group's first word
    Values:
        for (int step = 0; step < C::BLOCK * C::Q * C::DEPTH; ++step) {
            PENNI_PIPELINE(1)
            PENNI_DISTANCE(pixels, 2)
            const int place = C::DEPTH == 1 ? 0 : int(address);  // a single word is a register: no distance
            typename types::z_t value = 0;                       // what a short last group lacks
            if (left != 0) {
                value = from_bits<C::ZW, C::Z_SIGNED>(in.read());
                left = left - 1;
            }
            const typename types::z_word all = shift_in<C::ZW, C::Z_SIGNED, C::Q>(pixels[place], value);
            pixels[place] = all;
            const bool last = address == C::DEPTH - 1, last_pixel = pixel == C::Q - 1;
            if (last_pixel) {
            Lanes:
                for (int lane = 0; lane < C::P; ++lane) {
                    PENNI_UNROLL
                    z[lane][int(first) + place] = all;
                }
            }
            address = last ? 0 : int(address) + 1;
            if (last) {
                pixel = last_pixel ? 0 : int(pixel) + 1;
                if (last_pixel) first = int(first) + C::DEPTH;
            }
        }
    }
};

/// The groups of a block.
template <typename C>
void sparse_mac_walk_block(const typename sparse_mac_types<C>::z_block& z, typename sparse_mac_types<C>::sums_block& sums) {
    PENNI_INLINE
    typedef sparse_mac_types<C> types;
    typedef mac_types<C> mac;
    constexpr int UNITS = types::UNITS;
    constexpr int WHEREW = types::WHEREW;
    constexpr int ENTRY = C::CW + WHEREW + C::ROW_BIT;
    constexpr int ROW_STEP = (1 << WHEREW) - 1;  // without ROW_BIT: begins a row
    constexpr int STEPS = C::LEN + !C::ROW_BIT;
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
    counter<C::LEN> at = 0;                     // of the program
    counter<C::BLOCK * C::DEPTH> z_first = 0;   // of the group, in each lane
    counter<C::BLOCK * C::LANE_ROWS> first_row = 0;
    bool begin = true;                          // a group

    // One step more where the last row ends with the program.
Walk:
    for (int step = 0; step < C::BLOCK * STEPS; ++step) {
        PENNI_PIPELINE(1)
        word<ENTRY> entries[C::P];
        PENNI_PARTITION(entries, 0)
        unpack<ENTRY>(C::program(at < C::LEN ? int(at) : 0), entries);
    Lanes:
        for (int lane = 0; lane < C::P; ++lane) {
            PENNI_UNROLL
            const word<ENTRY> entry = entries[lane];
            const integer<C::CW, true> coefficient = from_bits<C::CW, true>(bits_at<C::CW, 0, ENTRY>(entry));
            const integer<WHEREW, false> where = from_bits<WHEREW, false>(bits_at<WHEREW, C::CW, ENTRY>(entry));
            const bool last = C::ROW_BIT && bits_at<1, ENTRY - 1, ENTRY>(entry) != 0;
            const bool begins = !C::ROW_BIT && (where == ROW_STEP || at == C::LEN);
            if (begin) {
                rows[lane] = 0;
            ClearUnits:
                for (int unit = 0; unit < UNITS; ++unit) {
                    PENNI_UNROLL
                    accumulators[lane][unit] = 0;
                    extras[lane][unit] = 0;
                }
            }
            integer<C::ADDRW, false> address = begins ? 0 : int(where);
            if (C::STEPW > 0 && !begins && !begin && !ended[lane]) address += addresses[lane];
            addresses[lane] = address;
            ended[lane] = last;

            // A row that begins completes the sum of the one before, which its own products come upon.
            const int row = int(first_row) + int(rows[lane]);
            if (begins) mac_keep<C>(accumulators[lane], extras[lane], sums[lane][row]);
            typename types::z_t room[C::Q];
            PENNI_PARTITION(room, 0)
            const typename types::z_t(&values)[C::Q] =
                spread<C::ZW, C::Z_SIGNED, C::Q>(z[lane][int(z_first) + int(address)], room);
        Multiply:
            for (int unit = 0; unit < UNITS; ++unit) {
                PENNI_UNROLL
                mac_unit<C>::add(accumulators[lane][unit], extras[lane][unit], coefficient, values, unit);
            }
            if (last) mac_keep<C>(accumulators[lane], extras[lane], sums[lane][row]);
            if (begins || last) ++rows[lane];
        }
        begin = at == STEPS - 1;
        at = begin ? 0 : int(at) + 1;
        if (begin) {
            z_first = int(z_first) + C::DEPTH;
            first_row = int(first_row) + C::LANE_ROWS;
        }
    }
}

/// The sum of the next row of `channel`'s lane, of pixel `pixel` of the group whose first row is `first_row`. before: the
/// running sums of each lane's previous row; rows: its next one. Both start anew with each pixel.
template <typename C>
typename sparse_mac_types<C>::acc_t sparse_mac_row_sum(const typename sparse_mac_types<C>::sums_block& sums,
                                                       typename sparse_mac_types<C>::running_t (&before)[C::P],
                                                       counter<C::LANE_ROWS> (&rows)[C::P], int channel, int pixel,
                                                       int first_row) {
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
        number_at<mac::UNITW, false, mac::UNITS>(sums[lane][first_row + int(rows[lane])], pixel / mac::PIXELS);
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

/// Where the drain is: a channel of a pixel of a group.
template <typename C>
struct sparse_mac_place {
    counter<C::CO> channel;
    counter<C::Q> pixel;
    counter<C::BLOCK * C::LANE_ROWS> first_row;  // of the group

    void next() {
        PENNI_INLINE
        const bool last = channel == C::CO - 1, last_pixel = pixel == C::Q - 1;
        channel = last ? 0 : int(channel) + 1;
        if (last) {
            pixel = last_pixel ? 0 : int(pixel) + 1;
            if (last_pixel) first_row = int(first_row) + C::LANE_ROWS;
        }
    }
};

/// The groups of a block, without a skip connection. The pixels that a short last group lacks do not leave.
template <typename C>
void sparse_mac_drain_block(typename sparse_mac_types<C>::values_left& left,
                            const typename sparse_mac_types<C>::sums_block& sums, hls::stream<word<C::YW> >& out) {
    PENNI_INLINE
    typedef sparse_mac_types<C> types;
    static_assert(!C::SKIP, "with a skip connection it takes its stream");
    typename types::running_t before[C::P];
    counter<C::LANE_ROWS> rows[C::P];
    PENNI_PARTITION(before, 0)
    PENNI_PARTITION(rows, 0)
    sparse_mac_place<C> at = {0, 0, 0};
Values:
    for (int step = 0; step < C::BLOCK * C::Q * C::CO; ++step) {
        PENNI_PIPELINE(C::REQUANT_CYCLES)
        const typename types::acc_t sum = sparse_mac_row_sum<C>(sums, before, rows, at.channel, at.pixel, at.first_row);
        if (left != 0) {
            out.write(sparse_mac_result<C>(sparse_mac_total<C>(sum, at.channel)));
            left = left - 1;
        }
        at.next();
    }
}

/// The same with the skip connection, which comes in the order of the result.
template <typename C>
void sparse_mac_drain_block(typename sparse_mac_types<C>::values_left& left,
                            const typename sparse_mac_types<C>::sums_block& sums, hls::stream<word<C::YW> >& out,
                            hls::stream<word<C::SKIPW> >& skip) {
    PENNI_INLINE
    typedef sparse_mac_types<C> types;
    typedef integer<address_bits(C::SKIP_K + 1), false> skip_k_t;
    static_assert(C::SKIP, "without a skip connection it takes no stream");
    typename types::running_t before[C::P];
    counter<C::LANE_ROWS> rows[C::P];
    PENNI_PARTITION(before, 0)
    PENNI_PARTITION(rows, 0)
    sparse_mac_place<C> at = {0, 0, 0};
Values:
    for (int step = 0; step < C::BLOCK * C::Q * C::CO; ++step) {
        PENNI_PIPELINE(C::REQUANT_CYCLES)
        const typename types::acc_t sum = sparse_mac_row_sum<C>(sums, before, rows, at.channel, at.pixel, at.first_row);
        if (left != 0) {
            typename types::total_t total = sparse_mac_total<C>(sum, at.channel);
            const typename types::skip_t value = from_bits<C::SKIPW, C::SKIP_SIGNED>(skip.read());
            total += product<typename types::total_t, (C::REQUANT_CYCLES > 2)>::of(value, skip_k_t(C::SKIP_K));
            out.write(sparse_mac_result<C>(total));
            left = left - 1;
        }
        at.next();
    }
}

/// All three in turn, as one process.
template <typename C>
void sparse_mac(hls::stream<word<sparse_mac_types<C>::BEAT> >& in, hls::stream<word<C::YW> >& out) {
    typedef sparse_mac_types<C> types;
    typename types::z_block z;
    typename types::sums_block sums;
    typename types::beats_left beats = types::BEATS;
    typename types::values_left values = types::VALUES;
Blocks:
    for (int block = 0; block < types::BLOCKS; ++block) {
        sparse_mac_filler<C>::fill(beats, in, z);
        sparse_mac_walk_block<C>(z, sums);
        sparse_mac_drain_block<C>(values, sums, out);
    }
}

template <typename C>
void sparse_mac(hls::stream<word<sparse_mac_types<C>::BEAT> >& in, hls::stream<word<C::YW> >& out,
                hls::stream<word<C::SKIPW> >& skip) {
    typedef sparse_mac_types<C> types;
    typename types::z_block z;
    typename types::sums_block sums;
    typename types::beats_left beats = types::BEATS;
    typename types::values_left values = types::VALUES;
Blocks:
    for (int block = 0; block < types::BLOCKS; ++block) {
        sparse_mac_filler<C>::fill(beats, in, z);
        sparse_mac_walk_block<C>(z, sums);
        sparse_mac_drain_block<C>(values, sums, out, skip);
    }
}
#ifndef __BAMBU__
template <typename C>
void sparse_mac_load(hls::stream<word<sparse_mac_types<C>::BEAT> >& in,
                     hls::stream_of_blocks<typename sparse_mac_types<C>::z_block>& z) {
    typename sparse_mac_types<C>::beats_left left = sparse_mac_types<C>::BEATS;
Blocks:
    for (int block = 0; block < sparse_mac_types<C>::BLOCKS; ++block) {
        hls::write_lock<typename sparse_mac_types<C>::z_block> into(z);
        sparse_mac_filler<C>::fill(left, in, into);
    }
}

template <typename C>
void sparse_mac_walk(hls::stream_of_blocks<typename sparse_mac_types<C>::z_block>& z,
                     hls::stream_of_blocks<typename sparse_mac_types<C>::sums_block>& sums) {
Blocks:
    for (int block = 0; block < sparse_mac_types<C>::BLOCKS; ++block) {
        hls::read_lock<typename sparse_mac_types<C>::z_block> from(z);
        hls::write_lock<typename sparse_mac_types<C>::sums_block> into(sums);
        sparse_mac_walk_block<C>(from, into);
    }
}

template <typename C>
void sparse_mac_drain(hls::stream_of_blocks<typename sparse_mac_types<C>::sums_block>& sums,
                      hls::stream<word<C::YW> >& out) {
    typename sparse_mac_types<C>::values_left left = sparse_mac_types<C>::VALUES;
Blocks:
    for (int block = 0; block < sparse_mac_types<C>::BLOCKS; ++block) {
        hls::read_lock<typename sparse_mac_types<C>::sums_block> from(sums);
        sparse_mac_drain_block<C>(left, from, out);
    }
}

template <typename C>
void sparse_mac_drain(hls::stream_of_blocks<typename sparse_mac_types<C>::sums_block>& sums,
                      hls::stream<word<C::YW> >& out, hls::stream<word<C::SKIPW> >& skip) {
    typename sparse_mac_types<C>::values_left left = sparse_mac_types<C>::VALUES;
Blocks:
    for (int block = 0; block < sparse_mac_types<C>::BLOCKS; ++block) {
        hls::read_lock<typename sparse_mac_types<C>::sums_block> from(sums);
        sparse_mac_drain_block<C>(left, from, out, skip);
    }
}
#endif

}  // namespace penni

#endif
