// SPDX-License-Identifier: Apache-2.0
/// window_pool: each KH x KW window reduced, along rows first, then down columns. max_pool and avg_pool are made of it.
///
/// Walks ROWS x COLUMNS pixels from the first real one; those beyond H x W are walked without input, as F::OUTSIDE.
/// `recent` keeps the KW-1 pixels before this one, `above` the KH-1 row results above it, for each position where a
/// window can end. F: `join` reduces two values to one, `OUTSIDE` changes no result; RW bits hold that of a row, YW bits
/// that of a window.
#ifndef PENNI_WINDOW_POOL_HPP
#define PENNI_WINDOW_POOL_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C, typename F>
void window_pool(hls::stream<word<C::XW> >& in, hls::stream<word<F::YW> >& out) {
    typedef integer<C::XW, C::X_SIGNED> x_t;
    typedef integer<F::RW, C::X_SIGNED> row_t;
    typedef integer<F::YW, C::X_SIGNED> y_t;
    constexpr int KEPT = C::KW > 1 ? C::KW - 1 : 1;  // an array has at least one element
    constexpr int KEPT_ABOVE = C::KH > 1 ? C::KH - 1 : 1;
    constexpr int FIRST_ROW = C::KH - 1 - C::PAD_TOP;  // where the first window ends
    constexpr int FIRST_COLUMN = C::KW - 1 - C::PAD_LEFT;
    static_assert(FIRST_ROW >= 0 && FIRST_COLUMN >= 0, "a window holds at least one real pixel");

    x_t recent[C::C][KEPT];
    row_t above[C::WO * C::C][KEPT_ABOVE];
    // One memory for each value that is kept, not one wide word: then none is written with a value read from itself, which
    // would take a second cycle.
    PENNI_PARTITION(recent, 2)
    PENNI_PARTITION(above, 2)
    storage<C::ROW_BLOCK>::bind(recent);
    storage<C::COLUMN_BLOCK>::bind(above);

    counter<C::COLUMNS> column = 0;
    counter<C::ROWS> row = 0;
    counter<C::C> channel = 0;
    // Rows and columns left until the next window ends, and windows ended.
    counter<C::KH + C::STRIDE_H> row_wait = FIRST_ROW;
    counter<C::KW + C::STRIDE_W> column_wait = FIRST_COLUMN;
    counter<C::HO> row_ends = 0;
    counter<C::WO> column_ends = 0;

Steps:
    for (int step = 0; step < C::ROWS * C::COLUMNS * C::C; ++step) {
        PENNI_PIPELINE_FREE(1)
        x_t now = x_t(F::OUTSIDE);
        if (row < C::H && column < C::W) now = from_bits<C::XW, C::X_SIGNED>(in.read());

        // Along the row: this pixel and those before it.
        row_t along = row_t(now);
    Along:
        for (int i = 0; i < C::KW - 1; ++i) {
            PENNI_UNROLL
            const x_t before = column > i ? recent[channel][i] : x_t(F::OUTSIDE);
            along = F::template join<row_t>(along, row_t(before));
        }
    Shift:
        for (int i = KEPT - 1; i > 0; --i) {
            PENNI_UNROLL
            recent[channel][i] = recent[channel][i - 1];
        }
        recent[channel][0] = now;

        // Down the column, where a window ends.
        const bool row_end = row_wait == 0 && row_ends < C::HO;
        const bool column_end = column_wait == 0 && column_ends < C::WO;
        if (column_end) {
            const int place = int(column_ends) * C::C + int(channel);
            y_t down = y_t(along);
        Down:
            for (int i = 0; i < C::KH - 1; ++i) {
                PENNI_UNROLL
                const row_t before = row > i ? above[place][i] : row_t(F::OUTSIDE);
                down = F::template join<y_t>(down, y_t(before));
            }
        ShiftDown:
            for (int i = KEPT_ABOVE - 1; i > 0; --i) {
                PENNI_UNROLL
                above[place][i] = above[place][i - 1];
            }
            above[place][0] = along;
            if (row_end) out.write(to_bits<F::YW>(down));
        }

        if (channel < C::C - 1) {
            ++channel;
            continue;
        }
        channel = 0;
        if (column_end) ++column_ends;
        column_wait = column_wait == 0 ? C::STRIDE_W - 1 : int(column_wait) - 1;
        if (column < C::COLUMNS - 1) {
            ++column;
            continue;
        }
        column = 0;
        column_wait = FIRST_COLUMN;
        column_ends = 0;
        if (row_end) ++row_ends;
        row_wait = row_wait == 0 ? C::STRIDE_H - 1 : int(row_wait) - 1;
        ++row;
    }
}

}  // namespace penni

#endif
