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

/// x*M + bias'.
template <typename C>
integer<C::TOTALW, true> affine_total(const word<C::XW>& x, int channel) {
    PENNI_INLINE
    typedef integer<C::TOTALW, true> total_t;
    constexpr int CONSTANTS = C::MW + C::BW;
    static_assert(C::TOTALW <= 62, "totals are proven to fit 62 bits");
    const word<CONSTANTS> constants = C::requant(channel);
    const integer<C::MW, true> multiplier = from_bits<C::MW, true>(bits_at<C::MW, 0, CONSTANTS>(constants));
    const integer<C::BW, true> bias = from_bits<C::BW, true>(bits_at<C::BW, C::MW, CONSTANTS>(constants));
    return total_t(product<total_t, false>::of(from_bits<C::XW, C::X_SIGNED>(x), multiplier) + bias);
}

template <typename C>
word<C::YW> affine_result(const integer<C::TOTALW, true>& total) {
    PENNI_INLINE
    return to_bits<C::YW>(saturate<C::YW, C::Y_SIGNED>(integer<C::TOTALW, true>(total >> C::SHIFT)));
}

template <typename C>
void affine(hls::stream<word<C::XW> >& in, hls::stream<word<C::YW> >& out) {
    static_assert(!C::SKIP, "with a skip connection it takes its stream");
    counter<C::C> channel = 0;

Beats:
    for (int beat = 0; beat < C::PIXELS * C::C; ++beat) {
        PENNI_PIPELINE(1)
        out.write(affine_result<C>(affine_total<C>(in.read(), channel)));
        channel = channel == C::C - 1 ? 0 : int(channel) + 1;
    }
}

template <typename C>
void affine(hls::stream<word<C::XW> >& in, hls::stream<word<C::YW> >& out, hls::stream<word<C::SKIPW> >& skip) {
    typedef integer<C::TOTALW, true> total_t;
    static_assert(C::SKIP, "without a skip connection it takes no stream");
    counter<C::C> channel = 0;

Beats:
    for (int beat = 0; beat < C::PIXELS * C::C; ++beat) {
        PENNI_PIPELINE(1)
        total_t total = affine_total<C>(in.read(), channel);
        const integer<C::SKIPW, C::SKIP_SIGNED> value = from_bits<C::SKIPW, C::SKIP_SIGNED>(skip.read());
        total += product<total_t, false>::of(value, integer<16, false>(C::SKIP_K));
        out.write(affine_result<C>(total));
        channel = channel == C::C - 1 ? 0 : int(channel) + 1;
    }
}

}  // namespace penni

#endif
