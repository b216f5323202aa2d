// SPDX-License-Identifier: Apache-2.0
/// basis_conv: z[c,b,p] = sat(rshift(sum_t B[b,t] * x[c, p*STRIDE + t - PAD], s_b), Z), in tile order.
///
/// One loop, one step per cycle; each step does three things in parallel:
///   - one value of the stream goes into the row buffer, if its channel's bit in C::kept is 1 (so KEPT of the C channels
///     are buffered, and only these are walked): input row r is in bank r mod ROWS;
///   - the walker reads one column of KH values; when a window is complete, C::basis (a constant adder graph) returns
///     all D results, which are gathered until Q neighbouring pixels of this channel are there;
///   - one of the D words of the previous channel leaves, if its bit in C::used is 1.
/// For each group of Q output pixels and each channel, the walker reads KW columns for the first window of an output row
/// and STRIDE_W more for each further one; a short last group holds its last window until Q are counted; a channel takes
/// at least D steps. A group begins when its pixels have arrived; later input stays within ROWS rows from the group's
/// first pixel on. All of this depends on the step alone, never on data or stalls, so STEPS is a constant.
#ifndef PENNI_BASIS_CONV_HPP
#define PENNI_BASIS_CONV_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

/// The pixels of the map that the group of Q windows starting at (y, x) reads, and where the next group begins. Both are
/// counted in stream order.
template <typename C>
struct basis_conv_group {
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
        return most < C::H * C::W ? most : C::H * C::W;
    }
    constexpr basis_conv_group next() const {
        const bool wraps = x >= C::WO - C::Q % C::WO;
        return basis_conv_group{y + C::Q / C::WO + (wraps ? 1 : 0), x + C::Q % C::WO - (wraps ? C::WO : 0)};
    }
};

/// Steps to walk one channel of the group of Q pixels starting at (y, x); equal to BasisConv.columns.
template <typename C>
constexpr int basis_conv_columns(int y, int x) {
    const int left = C::HO * C::WO - (y * C::WO + x);
    const int real = C::Q < left ? C::Q : left;
    const int rows = (x + real - 1) / C::WO + 1;
    const int steps = real * C::STRIDE_W + rows * (C::KW - C::STRIDE_W) + (C::Q - real);
    return steps > C::D ? steps : C::D;
}

/// Steps per frame: the loop below, counted group by group.
template <typename C>
constexpr int basis_conv_steps() {
    int steps = 0, written = 0;
    basis_conv_group<C> group{0, 0};
    for (int index = 0; index < (C::HO * C::WO + C::Q - 1) / C::Q; ++index) {
        if (group.end() * C::C > written) {
            steps += group.end() * C::C - written;
            written = group.end() * C::C;
        }
        const int walk = C::KEPT * basis_conv_columns<C>(group.y, group.x);
        steps += walk;
        const int limit = group.limit() * C::C;
        if (written < limit) written = written + walk < limit ? written + walk : limit;
        group = group.next();
    }
    const int rest = C::H * C::W * C::C - written;
    return steps + (rest > C::D ? rest : C::D);
}

template <typename C>
void basis_conv(hls::stream<word<C::XW> >& in, hls::stream<word<C::Q * C::ZW> >& out) {
    typedef integer<C::XW, C::X_SIGNED> x_t;
    typedef typename C::z_t z_t;
    constexpr int STEPS = basis_conv_steps<C>();
    constexpr int PIXELS = C::HO * C::WO;
    static_assert(C::STRIDE_H <= C::KH && C::STRIDE_W <= C::KW, "nothing lies between one window and the next");
    static_assert(C::PAD_TOP < C::KH && C::PAD_LEFT < C::KW, "the first window holds a real value");
    static_assert((C::HO - 1) * C::STRIDE_H - C::PAD_TOP < C::H, "the last window holds a real row");
    static_assert((C::WO - 1) * C::STRIDE_W - C::PAD_LEFT < C::W, "the last window holds a real column");

    x_t buffer[C::ROWS][C::W * C::KEPT];
    x_t window[C::KH * C::KW];
    z_t gathered[C::D][C::Q];
    word<C::Q * C::ZW> leaving[C::D];
    PENNI_PARTITION(buffer, 1)
    if (C::ROW_STYLE == 2) {
        PENNI_BIND_ULTRA(buffer)
    } else {
        PENNI_BIND_RAM(buffer)
    }
    PENNI_PARTITION(window, 0)
    PENNI_PARTITION(gathered, 0)
    PENNI_PARTITION(leaving, 0)

    // The writer: channel of the next value, its place in the row, bank, and the pixels that are there.
    counter<C::C> write_channel = 0;
    counter<C::W * C::KEPT> write_address = 0;
    counter<C::W> write_column = 0;
    counter<C::ROWS> write_bank = 0;
    counter<C::H * C::W> arrived = 0;
    static_assert(C::KEPT * (C::KW > C::D ? C::KW : C::D) > 1 || C::Q > 1 || PIXELS == 1,
                  "a group lasts long enough to find the next one");
    // The group, and the pixels it reads.
    constexpr basis_conv_group<C> FIRST = {0, 0};
    counter<C::HO + C::Q> group_y = 0;
    counter<C::WO> group_x = 0;
    counter<PIXELS> pixels_left = PIXELS;  // from the group's first pixel on
    counter<C::H * C::W> end = FIRST.end(), limit = FIRST.limit();
    // Where the next group begins, how many rows below, and its pixels: computed in the step after the group has changed,
    // so that no single step computes all the way from one group to the pixels of the next.
    counter<C::HO + C::Q> next_y = 0;
    counter<C::WO> next_x = 0;
    counter<C::ROWS> next_down = 0;
    counter<C::H * C::W> next_end = 0, next_limit = 0;
    bool all_walked = false;
    // The walker: channel, column within the window, windows done, pixels of the group done, steps of the channel.
    counter<C::KEPT> channel = 0;
    counter<C::KW> tap = 0;
    counter<C::Q> windows = 0;
    counter<C::D> spent = 0;
    position<C::H + C::KH> in_row = -C::PAD_TOP;  // of the window's first row
    position<C::W + C::KW> in_column = -C::PAD_LEFT;
    counter<2 * C::ROWS> bank = (C::ROWS - C::PAD_TOP) % C::ROWS;  // of in_row
    counter<C::WO> out_column = 0;
    // The bank of the group's first row: the next channel starts there again.
    counter<2 * C::ROWS> group_bank = bank;
    // Words of the previous channel that have not left yet, and which words that channel has.
    counter<C::D> to_send = 0;
    word<C::D> sent = 0;

Steps:
    for (int step = 0; step < STEPS; ++step) {
        PENNI_PIPELINE_FLUSH(1)
        const bool walking = !all_walked && arrived >= end;
        const bool holding = windows >= pixels_left;
        const bool ends = windows < C::Q && (holding || tap == C::KW - 1);
        const bool channel_ends = (windows == C::Q || (windows == C::Q - 1 && ends)) && spent >= C::D - 1;

        const basis_conv_group<C> upcoming = {int(next_y), int(next_x)};
        const int down = next_down, upcoming_end = next_end, upcoming_limit = next_limit;
        const basis_conv_group<C> after = basis_conv_group<C>{int(group_y), int(group_x)}.next();
        next_y = after.y;
        next_x = after.x;
        next_down = (after.y - int(group_y)) * C::STRIDE_H;
        next_end = after.end();
        next_limit = after.limit();

        if (to_send != 0) {
            const int basis = C::D - int(to_send);
            if (get<1, C::D>(sent, basis) != 0) out.write(leaving[basis]);
            --to_send;
        }

        const bool writing = arrived < limit;
        if (writing) {
            const x_t value = from_bits<C::XW, C::X_SIGNED>(in.read());
            if (C::kept(write_channel) != 0) {
                buffer[write_bank][write_address] = value;
                write_address = write_address == C::W * C::KEPT - 1 ? 0 : int(write_address) + 1;
            }
            if (write_channel != C::C - 1) {
                ++write_channel;
            } else {
                write_channel = 0;
                ++arrived;
                if (write_column != C::W - 1) {
                    ++write_column;
                } else {
                    write_column = 0;
                    write_bank = write_bank == C::ROWS - 1 ? 0 : int(write_bank) + 1;
                }
            }
        }

        if (!walking) continue;

        if (windows < C::Q) {
            if (!holding) {
                // A column: every bank is read at one address, then KH values are selected in order.
                const bool inside = in_column >= 0 && in_column < C::W;
                const int address = inside ? int(in_column) * C::KEPT + int(channel) : 0;
                x_t column[C::ROWS];
                PENNI_PARTITION(column, 0)
                const x_t pad = from_bits<C::XW, C::X_SIGNED>(C::pad(channel));
            Banks:
                for (int row = 0; row < C::ROWS; ++row) {
                    PENNI_UNROLL
                    column[row] = buffer[row][address];
                }
            Window:
                for (int row = 0; row < C::KH; ++row) {
                    PENNI_UNROLL
                Shift:
                    for (int i = 0; i < C::KW - 1; ++i) {
                        PENNI_UNROLL
                        window[row * C::KW + i] = window[row * C::KW + i + 1];
                    }
                    const int at = int(bank) + row;
                    const int y = int(in_row) + row;
                    const bool real = inside && y >= 0 && y < C::H;
                    window[row * C::KW + C::KW - 1] = real ? column[at < C::ROWS ? at : at - C::ROWS] : pad;
                }
            }
            if (ends) {
                z_t z[C::D];
                PENNI_PARTITION(z, 0)
                C::basis(window, z);
            Gather:
                for (int basis = 0; basis < C::D; ++basis) {
                    PENNI_UNROLL
                    gathered[basis][windows] = z[basis];
                }
                ++windows;
                if (out_column == C::WO - 1) {  // the next window begins an output row
                    out_column = 0;
                    tap = 0;
                    in_column = -C::PAD_LEFT;
                    in_row = int(in_row) + C::STRIDE_H;
                    const int moved = int(bank) + C::STRIDE_H;
                    bank = moved < C::ROWS ? moved : moved - C::ROWS;
                } else {
                    ++out_column;
                    tap = C::KW - C::STRIDE_W;
                    in_column = int(in_column) + 1;
                }
            } else {
                ++tap;
                in_column = int(in_column) + 1;
            }
        }

        if (spent < C::D) ++spent;
        if (!channel_ends) continue;

        // The channel is done: its words leave from the next step on.
    Leave:
        for (int basis = 0; basis < C::D; ++basis) {
            PENNI_UNROLL
        Pack:
            for (int pixel = 0; pixel < C::Q; ++pixel) {
                PENNI_UNROLL
                set<C::ZW, C::Q * C::ZW>(leaving[basis], pixel, to_bits<C::ZW>(gathered[basis][pixel]));
            }
        }
        to_send = C::D;
        sent = C::used(channel);
        if (channel == C::KEPT - 1) {
            channel = 0;
            all_walked = pixels_left <= C::Q;
            if (!all_walked) {
                pixels_left = int(pixels_left) - C::Q;
                group_y = upcoming.y;
                group_x = upcoming.x;
                end = upcoming_end;
                limit = upcoming_limit;
                const int moved = int(group_bank) + down;
                group_bank = moved < C::ROWS ? moved : moved - C::ROWS;
            } else {
                limit = C::H * C::W;
            }
        } else {
            ++channel;
        }
        windows = 0;
        spent = 0;
        tap = 0;
        out_column = group_x;
        in_row = int(group_y) * C::STRIDE_H - C::PAD_TOP;
        in_column = int(group_x) * C::STRIDE_W - C::PAD_LEFT;
        bank = group_bank;
    }
}

}  // namespace penni

#endif
