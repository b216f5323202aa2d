// SPDX-License-Identifier: Apache-2.0
/// The accelerator's ports. In: every word of a frame, COUNT of them, goes into a stream of the top; nothing decides
/// whether to read, so that co-simulation's register slice on the port is no obstacle. Out: COUNT values per frame,
/// sign-extended to 32 bits, TLAST with the last.
///
/// C gives COUNT, IMAGES, XW and X_SIGNED. bambu does not support side-channel signals: there the word is the data alone.
#ifndef PENNI_AXIS_HPP
#define PENNI_AXIS_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

#ifdef __BAMBU__
#include <ap_int.h>
#else
#include <ap_axi_sdata.h>
#endif

namespace penni {

#ifdef __BAMBU__
typedef ap_int<32> logit;
inline logit logit_beat(int value, bool) { return logit(value); }
#else
typedef ap_axis<32, 0, 0, 0> logit;
inline logit logit_beat(int value, bool last) {
    PENNI_INLINE
    logit beat;
    beat.data = value;
    beat.keep = -1;
    beat.strb = -1;
    beat.last = last ? 1 : 0;
    return beat;
}
#endif

template <typename C>
void receive(hls::stream<word<C::XW> >& s_axis, hls::stream<word<C::XW> >& out) {
Beats:
    for (int beat = 0; beat < C::IMAGES * C::COUNT; ++beat) {
        PENNI_PIPELINE_FREE(1)
        out.write(s_axis.read());
    }
}

template <typename C>
void send_logits(hls::stream<word<C::XW> >& in, hls::stream<logit>& m_axis) {
    static_assert(C::XW <= 32, "a logit fits the port");
Beats:
    for (int beat = 0, left = C::COUNT; beat < C::IMAGES * C::COUNT; ++beat) {
        PENNI_PIPELINE(1)
        const integer<C::XW, C::X_SIGNED> value = from_bits<C::XW, C::X_SIGNED>(in.read());
        m_axis.write(logit_beat(int(value), left == 1));
        left = left == 1 ? C::COUNT : left - 1;
    }
}

}  // namespace penni

#endif
