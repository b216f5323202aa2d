// SPDX-License-Identifier: Apache-2.0
/// narrow: words of VALUES values to single values, the lowest first. BEATS: values of a frame.
#ifndef PENNI_NARROW_HPP
#define PENNI_NARROW_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
void narrow(hls::stream<word<C::XW * C::VALUES> >& in, hls::stream<word<C::XW> >& out) {
    static_assert(C::BEATS % C::VALUES == 0, "a frame is whole words");
    static const int WIDTH = C::XW * C::VALUES;
    word<WIDTH> held = 0;
    counter<C::VALUES> left = 0;
Beats:
    for (int beat = 0; beat < C::BEATS; ++beat) {
        PENNI_PIPELINE_FREE(1)
        if (left == 0) {
            held = in.read();
            left = C::VALUES;
        }
        out.write(bits_at<C::XW, 0, WIDTH>(held));
        held = held >> C::XW;
        left = left - 1;
    }
}

}  // namespace penni

#endif
