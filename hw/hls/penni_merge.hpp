// SPDX-License-Identifier: Apache-2.0
/// merge: the images of COPIES streams by turns. A call takes one image of each, one after the other.
///
/// One function for each number of streams, as in penni_fork.hpp.
#ifndef PENNI_MERGE_HPP
#define PENNI_MERGE_HPP

#include <hls_stream.h>

#include "penni_deal.hpp"
#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
void merge(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out, hls::stream<word<C::XW> >& second) {
    static_assert(C::COPIES == 2, "one input stream for each copy");
    image_turn<C> image = {0, 0};
Beats:
    for (int step = 0; step < C::COPIES * C::BEATS; ++step) {
        PENNI_PIPELINE_FREE(1)
        word<C::XW> value;
        if (image.turn == 0) {
            value = in.read();
        } else {
            value = second.read();
        }
        out.write(value);
        image.next();
    }
}

template <typename C>
void merge(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out, hls::stream<word<C::XW> >& second,
           hls::stream<word<C::XW> >& third) {
    static_assert(C::COPIES == 3, "one input stream for each copy");
    image_turn<C> image = {0, 0};
Beats:
    for (int step = 0; step < C::COPIES * C::BEATS; ++step) {
        PENNI_PIPELINE_FREE(1)
        word<C::XW> value;
        if (image.turn == 0) {
            value = in.read();
        } else if (image.turn == 1) {
            value = second.read();
        } else {
            value = third.read();
        }
        out.write(value);
        image.next();
    }
}

template <typename C>
void merge(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out, hls::stream<word<C::XW> >& second,
           hls::stream<word<C::XW> >& third, hls::stream<word<C::XW> >& fourth) {
    static_assert(C::COPIES == 4, "one input stream for each copy");
    image_turn<C> image = {0, 0};
Beats:
    for (int step = 0; step < C::COPIES * C::BEATS; ++step) {
        PENNI_PIPELINE_FREE(1)
        word<C::XW> value;
        if (image.turn == 0) {
            value = in.read();
        } else if (image.turn == 1) {
            value = second.read();
        } else if (image.turn == 2) {
            value = third.read();
        } else {
            value = fourth.read();
        }
        out.write(value);
        image.next();
    }
}

}  // namespace penni

#endif
