// SPDX-License-Identifier: Apache-2.0
/// deal: images to COPIES readers by turns. A call deals one image to each, one after the other.
///
/// One function for each number of readers, as in penni_fork.hpp.
#ifndef PENNI_DEAL_HPP
#define PENNI_DEAL_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

/// Which of COPIES streams the next word belongs to, BEATS words of an image each; merge counts with it, too.
template <typename C>
struct image_turn {
    counter<C::BEATS> beat;
    counter<C::COPIES> turn;

    void next() {
        PENNI_INLINE
        const bool last = beat == C::BEATS - 1;
        beat = last ? 0 : int(beat) + 1;
        turn = last ? int(turn) + 1 : int(turn);
    }
};

template <typename C>
void deal(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out0, hls::stream<word<C::XW> >& out1) {
    static_assert(C::COPIES == 2, "one output stream for each copy");
    image_turn<C> image = {0, 0};
Beats:
    for (int step = 0; step < C::COPIES * C::BEATS; ++step) {
        PENNI_PIPELINE_FREE(1)
        const word<C::XW> value = in.read();
        if (image.turn == 0) {
            out0.write(value);
        } else {
            out1.write(value);
        }
        image.next();
    }
}

template <typename C>
void deal(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out0, hls::stream<word<C::XW> >& out1,
          hls::stream<word<C::XW> >& out2) {
    static_assert(C::COPIES == 3, "one output stream for each copy");
    image_turn<C> image = {0, 0};
Beats:
    for (int step = 0; step < C::COPIES * C::BEATS; ++step) {
        PENNI_PIPELINE_FREE(1)
        const word<C::XW> value = in.read();
        if (image.turn == 0) {
            out0.write(value);
        } else if (image.turn == 1) {
            out1.write(value);
        } else {
            out2.write(value);
        }
        image.next();
    }
}

template <typename C>
void deal(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out0, hls::stream<word<C::XW> >& out1,
          hls::stream<word<C::XW> >& out2, hls::stream<word<C::XW> >& out3) {
    static_assert(C::COPIES == 4, "one output stream for each copy");
    image_turn<C> image = {0, 0};
Beats:
    for (int step = 0; step < C::COPIES * C::BEATS; ++step) {
        PENNI_PIPELINE_FREE(1)
        const word<C::XW> value = in.read();
        if (image.turn == 0) {
            out0.write(value);
        } else if (image.turn == 1) {
            out1.write(value);
        } else if (image.turn == 2) {
            out2.write(value);
        } else {
            out3.write(value);
        }
        image.next();
    }
}

}  // namespace penni

#endif
