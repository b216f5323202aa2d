// SPDX-License-Identifier: Apache-2.0
/// concat: for each pixel the C0 channels of the first stream, then the C1 channels of the second.
#ifndef PENNI_CONCAT_HPP
#define PENNI_CONCAT_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
void concat(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out, hls::stream<word<C::XW> >& second) {
    counter<C::C0 + C::C1> channel = 0;

Steps:
    for (int step = 0; step < C::PIXELS * (C::C0 + C::C1); ++step) {
        PENNI_PIPELINE_FREE(1)
        if (channel < C::C0) {
            out.write(in.read());
        } else {
            out.write(second.read());
        }
        channel = channel == C::C0 + C::C1 - 1 ? 0 : int(channel) + 1;
    }
}

}  // namespace penni

#endif
