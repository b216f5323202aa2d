// SPDX-License-Identifier: Apache-2.0
/// affine: y = sat((x*M[c] + skip*SKIP_K + bias'[c]) >> SHIFT), c the channel; `skip` is one stream where C::SKIP.
///
/// Requant word, for each channel: {bias with its rounding half, multiplier}, the multiplier (signed) lowest.
#ifndef PENNI_AFFINE_HPP
#define PENNI_AFFINE_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

/// The next value of the skip connection; 0 where there is none.
template <typename C>
integer<C::SKIPW, C::SKIP_SIGNED> affine_skip() {
    PENNI_INLINE
    return 0;
}

template <typename C>
integer<C::SKIPW, C::SKIP_SIGNED> affine_skip(hls::stream<word<C::SKIPW> >& skip) {
    PENNI_INLINE
    return from_bits<C::SKIPW, C::SKIP_SIGNED>(skip.read());
}

template <typename C, typename... Skip>
void affine(hls::stream<word<C::XW> >& in, hls::stream<word<C::YW> >& out, Skip&... skip) {
    typedef integer<C::TOTALW, true> total_t;
    constexpr int CONSTANTS = C::MW + C::BW;
    static_assert(sizeof...(Skip) == C::SKIP, "one skip stream where there is a skip connection");
    static_assert(C::TOTALW <= 62, "totals are proven to fit 62 bits");
    counter<C::C> channel = 0;

Beats:
    for (int beat = 0; beat < C::PIXELS * C::C; ++beat) {
        PENNI_PIPELINE(1)
        const word<CONSTANTS> constants = C::requant(channel);
        const integer<C::MW, true> multiplier = from_bits<C::MW, true>(bits_at<C::MW, CONSTANTS>(constants, 0));
        total_t total = multiply<total_t>(from_bits<C::XW, C::X_SIGNED>(in.read()), multiplier);
        total += from_bits<C::BW, true>(bits_at<C::BW, CONSTANTS>(constants, C::MW));
        if (C::SKIP) total += multiply<total_t>(affine_skip<C>(skip...), integer<16, false>(C::SKIP_K));
        out.write(to_bits<C::YW>(saturate<C::YW, C::Y_SIGNED>(total_t(total >> C::SHIFT))));
        channel = channel == C::C - 1 ? 0 : int(channel) + 1;
    }
}

}  // namespace penni

#endif
