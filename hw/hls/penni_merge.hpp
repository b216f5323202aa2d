// SPDX-License-Identifier: Apache-2.0
/// merge: the images of COPIES streams by turns. A call takes one image of each.
#ifndef PENNI_MERGE_HPP
#define PENNI_MERGE_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename T>
T read_turn(int, hls::stream<T>& in) {
    PENNI_INLINE
    return in.read();
}

/// Read from input number `turn`.
template <typename T, typename... Ins>
T read_turn(int turn, hls::stream<T>& in, Ins&... others) {
    PENNI_INLINE
    if (turn == 0) return in.read();
    return read_turn(turn - 1, others...);
}

template <typename C, typename... Ins>
void merge(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out, Ins&... others) {
    static_assert(sizeof...(Ins) == C::COPIES - 1, "one input stream for each copy");
    counter<C::BEATS> beat = 0;
    counter<C::COPIES> turn = 0;

Beats:
    for (int step = 0; step < C::COPIES * C::BEATS; ++step) {
        PENNI_PIPELINE_FLUSH(1)
        const word<C::XW> value = read_turn(int(turn), in, others...);
        out.write(value);
        const bool last = beat == C::BEATS - 1;
        beat = last ? 0 : int(beat) + 1;
        turn = last ? int(turn) + 1 : int(turn);
    }
}

}  // namespace penni

#endif
