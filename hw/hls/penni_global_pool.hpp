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
    // YW holds every possible final sum; a partial sum lies between 0 and the largest or smallest of them.
    typedef integer<C::YW, C::X_SIGNED> sum_t;
    sum_t sums[C::C];

    counter<C::C> channel = 0;

Steps:
    for (int step = 0; step < C::PIXELS * C::C; ++step) {
        PENNI_PIPELINE(1)
        PENNI_DISTANCE(sums, 2)
        const int place = C::C == 1 ? 0 : int(channel);  // a single sum is a register, not a memory: no distance
        const sum_t before = step < C::C ? sum_t(0) : sums[place];
        const sum_t sum = sum_t(before + from_bits<C::XW, C::X_SIGNED>(in.read()));
        sums[place] = sum;
        if (step >= (C::PIXELS - 1) * C::C) out.write(to_bits<C::YW>(sum));
        channel = channel == C::C - 1 ? 0 : int(channel) + 1;
    }
}

}  // namespace penni

#endif
