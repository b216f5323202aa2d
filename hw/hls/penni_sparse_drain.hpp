// SPDX-License-Identifier: Apache-2.0
/// sparse_mac, the third process: pixel by pixel, channel by channel. A row's sum is its running sum minus the previous
/// one of its lane, exact modulo 2^ACCW; then the skip connection, where there is one, and the requantizer. One value in
/// REQUANT_CYCLES cycles, so that a compiler may share its multipliers.
///
/// Requant word: {bias with its rounding half, multiplier}, the multiplier lowest.
#ifndef PENNI_SPARSE_DRAIN_HPP
#define PENNI_SPARSE_DRAIN_HPP

#include <hls_stream.h>

#include "penni_blocks.hpp"
#include "penni_mac.hpp"
#include "penni_pragmas.hpp"
#include "penni_sparse_types.hpp"
#include "penni_types.hpp"

namespace penni {

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

#ifndef __BAMBU__
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
