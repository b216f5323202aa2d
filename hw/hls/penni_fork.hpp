// SPDX-License-Identifier: Apache-2.0
/// fork: one stream to COPIES readers, each of which gets every word.
///
/// One function for each number of readers: a function with any number of them is none that bambu can give ports.
#ifndef PENNI_FORK_HPP
#define PENNI_FORK_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
void fork(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out0, hls::stream<word<C::XW> >& out1) {
    static_assert(C::COPIES == 2, "one output stream for each copy");
Beats:
    for (int beat = 0; beat < C::BEATS; ++beat) {
        PENNI_PIPELINE(1)
        const word<C::XW> value = in.read();
        out0.write(value);
        out1.write(value);
    }
}

template <typename C>
void fork(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out0, hls::stream<word<C::XW> >& out1,
          hls::stream<word<C::XW> >& out2) {
    static_assert(C::COPIES == 3, "one output stream for each copy");
Beats:
    for (int beat = 0; beat < C::BEATS; ++beat) {
        PENNI_PIPELINE(1)
        const word<C::XW> value = in.read();
        out0.write(value);
        out1.write(value);
        out2.write(value);
    }
}

template <typename C>
void fork(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out0, hls::stream<word<C::XW> >& out1,
          hls::stream<word<C::XW> >& out2, hls::stream<word<C::XW> >& out3) {
    static_assert(C::COPIES == 4, "one output stream for each copy");
Beats:
    for (int beat = 0; beat < C::BEATS; ++beat) {
        PENNI_PIPELINE(1)
        const word<C::XW> value = in.read();
        out0.write(value);
        out1.write(value);
        out2.write(value);
        out3.write(value);
    }
}

}  // namespace penni

#endif
