// SPDX-License-Identifier: Apache-2.0
/// deal: images to COPIES readers by turns. A call deals one image to each.
#ifndef PENNI_DEAL_HPP
#define PENNI_DEAL_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename T>
void write_turn(int, const T& value, hls::stream<T>& out) {
    PENNI_INLINE
    out.write(value);
}

/// Write to output number `turn`.
template <typename T, typename... Outs>
void write_turn(int turn, const T& value, hls::stream<T>& out, Outs&... others) {
    PENNI_INLINE
    if (turn == 0) {
        out.write(value);
    } else {
        write_turn(turn - 1, value, others...);
    }
}

template <typename C, typename... Outs>
void deal(hls::stream<word<C::XW> >& in, Outs&... outs) {
    static_assert(sizeof...(Outs) == C::COPIES, "one output stream for each copy");
    counter<C::BEATS> beat = 0;
    counter<C::COPIES> turn = 0;

Beats:
    for (int step = 0; step < C::COPIES * C::BEATS; ++step) {
        PENNI_PIPELINE_FLUSH(1)
        const word<C::XW> value = in.read();
        write_turn(int(turn), value, outs...);
        const bool last = beat == C::BEATS - 1;
        beat = last ? 0 : int(beat) + 1;
        turn = last ? int(turn) + 1 : int(turn);
    }
}

}  // namespace penni

#endif
