// SPDX-License-Identifier: Apache-2.0
/// upsample: y[h, w, c] = x[h / FACTOR, w / FACTOR, c].
///
/// A ping-pong buffer of two rows. Each row of x has FACTOR * FACTOR * W * C steps: the first W * C of them take it in,
/// and all of them give the copies of the row before. The steps after the last row only give.
#ifndef PENNI_UPSAMPLE_HPP
#define PENNI_UPSAMPLE_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
void upsample(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out) {
    constexpr int ROW = C::W * C::C;
    constexpr int STEPS = (C::H + 1) * C::FACTOR * C::FACTOR * ROW;
    static_assert(C::FACTOR > 1, "a row is read more than once");

    word<C::XW> rows[2 * ROW];
    storage<C::ROW_BLOCK>::bind(rows);

    counter<C::H> row = 0;
    counter<2 * ROW> write = 0, read = ROW;  // the first read address: of the half that is not written first
    counter<ROW> taken = 0;
    counter<C::C> channel = 0;
    counter<C::W> column = 0;
    counter<C::FACTOR> copy = 0, row_copy = 0;

Steps:
    for (int step = 0; step < STEPS; ++step) {
        PENNI_PIPELINE_FREE(1)
        PENNI_DISTANCE(rows, 4)
        if (row < C::H && taken < ROW) {
            rows[write] = in.read();
            write = write == 2 * ROW - 1 ? 0 : int(write) + 1;
            ++taken;
        }
        if (row > 0) out.write(rows[read]);

        // Back to the pixel's first channel until it has FACTOR copies, to the row's first pixel until it has.
        const bool last_channel = channel == C::C - 1, last_copy = copy == C::FACTOR - 1;
        const bool last_column = column == C::W - 1, last_row_copy = row_copy == C::FACTOR - 1;
        if (last_channel && !last_copy) {
            read = int(read) - (C::C - 1);
        } else if (last_channel && last_column && !last_row_copy) {
            read = int(read) - (ROW - 1);
        } else {
            read = read == 2 * ROW - 1 ? 0 : int(read) + 1;
        }
        channel = last_channel ? 0 : int(channel) + 1;
        if (!last_channel) continue;
        copy = last_copy ? 0 : int(copy) + 1;
        if (!last_copy) continue;
        column = last_column ? 0 : int(column) + 1;
        if (!last_column) continue;
        row_copy = last_row_copy ? 0 : int(row_copy) + 1;
        if (!last_row_copy) continue;
        ++row;
        taken = 0;
    }
}

}  // namespace penni

#endif
