// SPDX-License-Identifier: Apache-2.0
/// fork: one stream to COPIES readers, each of which gets every word.
#ifndef PENNI_FORK_HPP
#define PENNI_FORK_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename T>
void write_all(const T& value, hls::stream<T>& out) {
    PENNI_INLINE
    out.write(value);
}

template <typename T, typename... Outs>
void write_all(const T& value, hls::stream<T>& out, Outs&... others) {
    PENNI_INLINE
    out.write(value);
    write_all(value, others...);
}

template <typename C, typename... Outs>
void fork(hls::stream<word<C::XW> >& in, Outs&... outs) {
    static_assert(sizeof...(Outs) == C::COPIES, "one output stream for each copy");
Beats:
    for (int beat = 0; beat < C::BEATS; ++beat) {
        PENNI_PIPELINE(1)
        const word<C::XW> value = in.read();
        write_all(value, outs...);
    }
}

}  // namespace penni

#endif
