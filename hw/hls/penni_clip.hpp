// SPDX-License-Identifier: Apache-2.0
/// clip: y = min(max(x, LO), HI), in YW bits, which hold LO and HI.
#ifndef PENNI_CLIP_HPP
#define PENNI_CLIP_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
void clip(hls::stream<word<C::XW> >& in, hls::stream<word<C::YW> >& out) {
    static_assert(C::XW < 32, "bounds are ints");
Beats:
    for (int beat = 0; beat < C::BEATS; ++beat) {
        PENNI_PIPELINE(1)
        int value = int(from_bits<C::XW, C::X_SIGNED>(in.read()));
        if (value < C::LO) value = C::LO;
        if (value > C::HI) value = C::HI;
        out.write(to_bits<C::YW>(value));
    }
}

}  // namespace penni

#endif
