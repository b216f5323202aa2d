// SPDX-License-Identifier: Apache-2.0
/// subsample: y[p, o] = x[p*STRIDE, o - OFFSET], 0 where x has no such channel.
///
/// The channels of a kept pixel pass, one per step. Then the values up to the next kept pixel are dropped, and meanwhile
/// the zero channels up to its first channel leave.
#ifndef PENNI_SUBSAMPLE_HPP
#define PENNI_SUBSAMPLE_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

/// Values that are dropped and zeros that leave between two kept pixels of a row, behind a row, behind the last one.
template <typename C>
struct subsample_gaps {
    static const int HO = (C::H + C::STRIDE - 1) / C::STRIDE, WO = (C::W + C::STRIDE - 1) / C::STRIDE;
    static const int PIXEL = (C::STRIDE - 1) * C::C;
    static const int REST = (C::W - 1 - (WO - 1) * C::STRIDE) * C::C;  // of a kept row
    static const int ROW = REST + (C::STRIDE - 1) * C::W * C::C;
    static const int END = REST + (C::H - 1 - (HO - 1) * C::STRIDE) * C::W * C::C;
    static const int ZEROS = C::CO - C::C, LAST_ZEROS = ZEROS - C::OFFSET;
    static constexpr int longer(int a, int b) { return a > b ? a : b; }
    static const int STEPS = C::OFFSET + HO * WO * C::C + HO * (WO - 1) * longer(PIXEL, ZEROS) +
                             (HO - 1) * longer(ROW, ZEROS) + longer(END, LAST_ZEROS);
};

template <typename C>
void subsample(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out) {
    typedef subsample_gaps<C> gaps;
    static_assert(C::OFFSET + C::C <= C::CO, "the channels of x lie within those of the result");

    counter<C::C> channel = 0;
    counter<gaps::WO> column = 0;
    counter<gaps::HO> row = 0;
    counter<gaps::longer(gaps::ROW, gaps::longer(gaps::END, gaps::PIXEL))> dropped = 0;  // that are still to come
    counter<C::CO> zeros = C::OFFSET;                                                    // that are still to leave

Steps:
    for (int step = 0; step < gaps::STEPS; ++step) {
        PENNI_PIPELINE(1)
        const bool pass = dropped == 0 && zeros == 0;
        const bool give = pass || zeros != 0;
        word<C::XW> value = 0;
        if (pass || dropped != 0) value = in.read();
        if (give) out.write(pass ? value : word<C::XW>(0));

        if (!pass) {
            if (dropped != 0) dropped = dropped - 1;
            if (zeros != 0) zeros = zeros - 1;
            continue;
        }
        if (channel != C::C - 1) {
            channel = int(channel) + 1;
            continue;
        }
        channel = 0;
        const bool row_ends = column == gaps::WO - 1, last = row_ends && row == gaps::HO - 1;
        dropped = last ? gaps::END : row_ends ? gaps::ROW : gaps::PIXEL;
        zeros = last ? gaps::LAST_ZEROS : gaps::ZEROS;
        column = row_ends ? 0 : int(column) + 1;
        if (row_ends) row = int(row) + 1;
    }
}

}  // namespace penni

#endif
