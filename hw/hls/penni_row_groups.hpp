// SPDX-License-Identifier: Apache-2.0
/// What basis_conv, basis_shared and depthwise_conv have in common: the writer of the row buffer, and the groups of Q
/// output pixels that are walked one after the other.
///
/// Pixels of the map are counted in stream order, on into the next frame. A group starts when `end` of them have arrived;
/// meanwhile as many as `limit` may arrive.
#ifndef PENNI_ROW_GROUPS_HPP
#define PENNI_ROW_GROUPS_HPP

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

/// The group of Q windows that starts at output pixel (y, x).
template <typename C>
struct row_group_at {
    int y, x;

    /// Pixels up to the last one that the group reads.
    constexpr int end() const {
        constexpr int BELOW = (C::HO - 1) * C::STRIDE_H - C::PAD_TOP + C::KH, ROWS = BELOW < C::H ? BELOW : C::H;
        const bool wraps = x >= C::WO - (C::Q - 1) % C::WO;
        const int next_y = y + (C::Q - 1) / C::WO + (wraps ? 1 : 0), next_x = x + (C::Q - 1) % C::WO - (wraps ? C::WO : 0);
        const bool beyond = next_y >= C::HO;  // a short last group
        const int last_y = beyond ? C::HO - 1 : next_y, last_x = beyond ? C::WO - 1 : next_x;
        const int lowest = last_y * C::STRIDE_H - C::PAD_TOP + C::KH, column = last_x * C::STRIDE_W - C::PAD_LEFT + C::KW;
        const bool whole = last_x == C::WO - 1 || column >= C::W || (last_y != y && lowest >= C::H);
        const int rows = lowest < ROWS ? lowest : ROWS;
        return whole ? rows * C::W : (rows - 1) * C::W + column;
    }
    /// Pixels that may have arrived meanwhile: ROWS rows, from the first one on that the group or a later one reads.
    constexpr int limit() const {
        const int top = y * C::STRIDE_H - C::PAD_TOP, left = x * C::STRIDE_W - C::PAD_LEFT;
        const int most = top < 0 ? C::ROWS * C::W : (top + C::ROWS) * C::W + (left > 0 ? left : 0);
        return PENNI_AHEAD || most < C::H * C::W ? most : C::H * C::W;
    }
    constexpr row_group_at next() const {
        const bool wraps = x >= C::WO - C::Q % C::WO;
        return row_group_at{y + C::Q / C::WO + (wraps ? 1 : 0), x + C::Q % C::WO - (wraps ? C::WO : 0)};
    }
};

/// The row that lies `rows` below that of `bank`.
template <typename C>
int below(int bank, int rows) {
    PENNI_INLINE
    const int moved = bank + rows;
    return moved < C::ROWS ? moved : moved - C::ROWS;
}

/// What lies outside the map, of a channel: there is no table of zeros.
template <typename C, bool ZERO = C::PAD_ZERO>
struct outside {
    static integer<C::XW, C::X_SIGNED> value(int) {
        PENNI_INLINE
        return 0;
    }
};

template <typename C>
struct outside<C, false> {
    static integer<C::XW, C::X_SIGNED> value(int channel) {
        PENNI_INLINE
        return from_bits<C::XW, C::X_SIGNED>(C::pad(channel));
    }
};

/// Where the next value of the stream goes, and the pixels that are there.
template <typename C>
struct row_writer {
    counter<C::C> channel;
    counter<C::W * C::KEPT> address;
    counter<C::W> column;
    counter<C::ROWS> bank;
    counter<(C::H + C::ROWS) * C::W> arrived;
    bool last_channel, room;

    void reset() {
        PENNI_INLINE
        channel = 0;
        address = 0;
        column = 0;
        bank = 0;
        arrived = 0;
        last_channel = C::C == 1;
        room = true;
    }
    void next_frame() {
        PENNI_INLINE
        arrived = int(arrived) - C::H * C::W;
    }
    bool complete() const {
        PENNI_INLINE
        return arrived >= C::H * C::W;
    }
    bool kept() const {
        PENNI_INLINE
        return C::kept(channel) != 0;
    }
    void next() {
        PENNI_INLINE
        if (kept()) address = address == C::W * C::KEPT - 1 ? 0 : int(address) + 1;
        if (last_channel) {
            arrived = int(arrived) + 1;
            if (column == C::W - 1) {
                column = 0;
                bank = bank == C::ROWS - 1 ? 0 : int(bank) + 1;
            } else {
                column = int(column) + 1;
            }
        }
        const bool second_last = channel == C::C - 2;
        channel = last_channel ? 0 : int(channel) + 1;
        last_channel = C::C == 1 || second_last;
    }
};

/// The group that is walked, and the one after it, which is found while the group starts.
template <typename C>
struct row_group {
    counter<C::HO + C::Q> y, next_y;
    counter<C::WO> x, next_x;
    counter<C::HO * C::WO> pixels_left;  // from the group's first pixel on
    counter<(C::H + C::ROWS) * C::W> end, limit, next_end, next_limit;
    position<C::H + C::KH> in_row, next_in_row;  // of the first window's corner
    position<C::W + C::KW> in_column, next_in_column;
    counter<2 * C::ROWS> bank, next_bank;  // of in_row
    counter<C::ROWS> top_bank;             // of the frame's first row
    bool row_end, next_row_end;            // the first window ends an output row
    bool last;

    void reset() {
        PENNI_INLINE
        begin(0);
    }
    void next_frame() {
        PENNI_INLINE
        begin(below<C>(top_bank, C::H % C::ROWS));
    }
    /// A frame whose first row is in bank `top`.
    void begin(int top) {
        PENNI_INLINE
        constexpr row_group_at<C> FIRST = {0, 0};
        top_bank = top;
        y = 0;
        x = 0;
        pixels_left = C::HO * C::WO;
        end = FIRST.end();
        limit = FIRST.limit();
        in_row = -C::PAD_TOP;
        in_column = -C::PAD_LEFT;
        bank = below<C>(top, C::ROWS - C::PAD_TOP);
        row_end = C::WO == 1;
        last = C::HO * C::WO <= C::Q;
        look_ahead();
    }
    void look_ahead() {
        PENNI_INLINE
        const row_group_at<C> now = {int(y), int(x)};
        const row_group_at<C> after = now.next();
        next_y = after.y;
        next_x = after.x;
        next_end = after.end();
        next_limit = after.limit();
        next_in_row = after.y * C::STRIDE_H - C::PAD_TOP;
        next_in_column = after.x * C::STRIDE_W - C::PAD_LEFT;
        next_bank = below<C>(bank, (after.y - int(y)) * C::STRIDE_H);
        next_row_end = after.x == C::WO - 1;
    }
    /// Behind the last group the rest of the frame may arrive, and as much of the next one as the buffer holds.
    void next() {
        PENNI_INLINE
        if (last) {
            limit = (C::H + (PENNI_AHEAD ? C::ROWS : 0)) * C::W;
            return;
        }
        y = next_y;
        x = next_x;
        end = next_end;
        limit = next_limit;
        in_row = next_in_row;
        in_column = next_in_column;
        bank = next_bank;
        row_end = next_row_end;
        pixels_left = int(pixels_left) - C::Q;
        last = pixels_left <= C::Q;
    }
};

}  // namespace penni

#endif
