// SPDX-License-Identifier: Apache-2.0
/// global_pool: y[c] = sum over all PIXELS of x[p, c], exact in YW bits. The sums leave with the last pixel.
#ifndef PENNI_GLOBAL_POOL_HPP
#define PENNI_GLOBAL_POOL_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
void global_pool(hls::stream<word<C::XW> >& in, hls::stream<word<C::YW> >& out) {
    // YW holds the finished sums; while they grow they lie between 0 and the largest or smallest of those.
    typedef integer<C::YW, C::X_SIGNED> sum_t;
    sum_t sums[C::C];

Pixels:
    for (int pixel = 0; pixel < C::PIXELS; ++pixel) {
    Channels:
        for (int channel = 0; channel < C::C; ++channel) {
            PENNI_PIPELINE(1)
            const sum_t before = pixel == 0 ? sum_t(0) : sums[channel];
            const sum_t sum = sum_t(before + from_bits<C::XW, C::X_SIGNED>(in.read()));
            sums[channel] = sum;
            if (pixel == C::PIXELS - 1) out.write(to_bits<C::YW>(sum));
        }
    }
}

}  // namespace penni

#endif
