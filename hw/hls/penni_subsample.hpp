// SPDX-License-Identifier: Apache-2.0
/// subsample: y[p, o] = x[p*STRIDE, o - OFFSET], 0 where x has no such channel.
///
/// One step for each channel of the result in a kept pixel, one for each channel of x in a dropped one.
#ifndef PENNI_SUBSAMPLE_HPP
#define PENNI_SUBSAMPLE_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
void subsample(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out) {
    constexpr int KEPT = ((C::H + C::STRIDE - 1) / C::STRIDE) * ((C::W + C::STRIDE - 1) / C::STRIDE);
    constexpr int STEPS = KEPT * C::CO + (C::H * C::W - KEPT) * C::C;
    static_assert(C::OFFSET + C::C <= C::CO, "the channels of x lie within those of the result");

    counter<C::W> column = 0;
    counter<C::CO> channel = 0;
    counter<C::STRIDE> row_phase = 0, column_phase = 0;

Steps:
    for (int step = 0; step < STEPS; ++step) {
        PENNI_PIPELINE(1)
        const bool kept = row_phase == 0 && column_phase == 0;
        const bool real = !kept || (channel >= C::OFFSET && channel < C::OFFSET + C::C);
        word<C::XW> value = 0;
        if (real) value = in.read();
        if (kept) out.write(value);

        const int channels = kept ? C::CO : C::C;
        if (channel < channels - 1) {
            ++channel;
            continue;
        }
        channel = 0;
        column_phase = column_phase == C::STRIDE - 1 ? 0 : int(column_phase) + 1;
        if (column < C::W - 1) {
            ++column;
            continue;
        }
        column = 0;
        column_phase = 0;
        row_phase = row_phase == C::STRIDE - 1 ? 0 : int(row_phase) + 1;
    }
}

}  // namespace penni

#endif
