// SPDX-License-Identifier: Apache-2.0
/// basis_conv with KH * PER_ROW multipliers that take turns: what penni_basis_conv.hpp computes, word by word.
///
/// One loop, one step per cycle; each step does two things in parallel:
///   - one value of the stream goes into the row buffer, if its channel's bit in C::kept is 1: input row r is in bank r
///     mod ROWS;
///   - the walker reads one column of KH values. PER_ROW = 1: it is multiplied and accumulated. PER_ROW = KW: it is
///     shifted into a window; complete windows are multiplied. A word leaves with its last window.
/// For each group of Q output pixels, each channel and each of its bases (those whose bits in C::used are 1), the walker
/// reads the group's windows: PER_ROW = 1: KW columns each; PER_ROW = KW: KW columns for the first window of an output
/// row and STRIDE_W more for each further one. A short last group repeats its last value until Q are counted. Groups and
/// rows are those of penni_basis_conv.hpp.
#ifndef PENNI_BASIS_SHARED_HPP
#define PENNI_BASIS_SHARED_HPP

#include <hls_stream.h>

#include "penni_basis_conv.hpp"
#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

/// Steps to walk one word of the group of Q pixels starting at (y, x); equal to RowWalk.columns.
template <typename C>
constexpr int basis_shared_columns(int y, int x) {
    const int left = C::HO * C::WO - (y * C::WO + x);
    const int real = C::Q < left ? C::Q : left;
    const int rows = (x + real - 1) / C::WO + 1;
    return (C::PER_ROW == 1 ? real * C::KW : real * C::STRIDE_W + rows * (C::KW - C::STRIDE_W)) + (C::Q - real);
}

/// Steps per frame: the loop below, counted group by group.
template <typename C>
constexpr int basis_shared_steps() {
    int steps = 0, written = 0;
    basis_conv_group<C> group{0, 0};
    for (int index = 0; index < (C::HO * C::WO + C::Q - 1) / C::Q; ++index) {
        if (group.end() * C::C > written) {
            steps += group.end() * C::C - written;
            written = group.end() * C::C;
        }
        const int walk = C::UNITS * basis_shared_columns<C>(group.y, group.x);
        steps += walk;
        const int limit = group.limit() * C::C;
        if (written < limit) written = written + walk < limit ? written + walk : limit;
        group = group.next();
    }
    return steps + C::H * C::W * C::C - written;
}

/// The lowest bit of `bits` that is 1.
template <int D>
counter<D> lowest_bit(const word<D>& bits) {
    PENNI_INLINE
    counter<D> lowest = 0;
Bits:
    for (int bit = D - 1; bit >= 0; --bit) {
        PENNI_UNROLL
        if (get<1, D>(bits, bit) != 0) lowest = bit;
    }
    return lowest;
}

template <typename C>
void basis_shared(hls::stream<word<C::XW> >& in, hls::stream<word<C::Q * C::ZW> >& out) {
    typedef integer<C::XW, C::X_SIGNED> x_t;
    typedef integer<C::CW, true> coef_t;
    typedef integer<C::ACCW, true> acc_t;
    typedef integer<C::ZW, C::Z_SIGNED> z_t;
    constexpr int STEPS = basis_shared_steps<C>();
    constexpr int PIXELS = C::HO * C::WO;
    constexpr int COEFS = C::KH * C::PER_ROW * C::CW;
    constexpr int WORDS = C::PER_ROW == 1 ? 1 << address_bits(C::KW) : 1;  // of coefficients for each basis
    constexpr int64_t HALF = (int64_t(1) << C::SHIFT) >> 1;
    static_assert(C::PER_ROW == 1 || C::PER_ROW == C::KW, "a column or a window at once");
    static_assert(C::KW > 1, "a word takes long enough to find the next one");

    x_t buffer[C::ROWS][C::W * C::KEPT];
    x_t window[C::KH * C::PER_ROW];
    z_t gathered[C::Q];
    PENNI_PARTITION(buffer, 1)
    if (C::ROW_STYLE == 2) {
        PENNI_BIND_ULTRA(buffer)
    } else {
        PENNI_BIND_RAM(buffer)
    }
    PENNI_PARTITION(window, 0)
    PENNI_PARTITION(gathered, 0)

    // The writer: channel of the next value, its place in the row, bank, and the pixels that are there.
    counter<C::C> write_channel = 0;
    counter<C::W * C::KEPT> write_address = 0;
    counter<C::W> write_column = 0;
    counter<C::ROWS> write_bank = 0;
    counter<C::H * C::W> arrived = 0;
    // The group, and the pixels it reads.
    constexpr basis_conv_group<C> FIRST = {0, 0};
    counter<C::HO + C::Q> group_y = 0;
    counter<C::WO> group_x = 0;
    counter<PIXELS> pixels_left = PIXELS;  // from the group's first pixel on
    counter<C::H * C::W> end = FIRST.end(), limit = FIRST.limit();
    // Where the next group begins, how many rows below, and its pixels: computed in the step after the group has changed.
    counter<C::HO + C::Q> next_y = 0;
    counter<C::WO> next_x = 0;
    counter<C::ROWS> next_down = 0;
    counter<C::H * C::W> next_end = 0, next_limit = 0;
    bool all_walked = false;
    // The walker: channel, bases of it that are not done, column within the window, windows done.
    counter<C::KEPT> channel = 0;
    word<C::D> rest = C::used(0);
    counter<C::KW> tap = 0;
    counter<C::Q> windows = 0;
    position<C::H + C::KH> in_row = -C::PAD_TOP;  // of the window's first row
    position<C::W + C::KW> in_column = -C::PAD_LEFT;
    counter<2 * C::ROWS> bank = (C::ROWS - C::PAD_TOP) % C::ROWS;  // of in_row
    counter<C::WO> out_column = 0;
    counter<2 * C::ROWS> group_bank = bank;  // of the group's first row: the next word starts there again
    acc_t acc = 0;

Steps:
    for (int step = 0; step < STEPS; ++step) {
        PENNI_PIPELINE_FLUSH(1)
        const bool walking = !all_walked && arrived >= end;
        const bool holding = windows >= pixels_left;

        const basis_conv_group<C> upcoming = {int(next_y), int(next_x)};
        const int down = next_down, upcoming_end = next_end, upcoming_limit = next_limit;
        const basis_conv_group<C> after = basis_conv_group<C>{int(group_y), int(group_x)}.next();
        next_y = after.y;
        next_x = after.x;
        next_down = (after.y - int(group_y)) * C::STRIDE_H;
        next_end = after.end();
        next_limit = after.limit();

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

        const bool ends = holding || tap == C::KW - 1;
        const int basis = lowest_bit<C::D>(rest);
        if (!holding) {
            // A column: every bank is read at one address, then KH values are selected in order.
            const bool inside = in_column >= 0 && in_column < C::W;
            const int address = inside ? int(in_column) * C::KEPT + int(channel) : 0;
            const x_t pad = from_bits<C::XW, C::X_SIGNED>(C::pad(channel));
            const word<COEFS> coefficients = C::coefs(basis * WORDS + (C::PER_ROW == 1 ? int(tap) : 0));
            x_t column[C::ROWS];
            PENNI_PARTITION(column, 0)
        Banks:
            for (int row = 0; row < C::ROWS; ++row) {
                PENNI_UNROLL
                column[row] = buffer[row][address];
            }
            acc_t sum = 0;
        Rows:
            for (int row = 0; row < C::KH; ++row) {
                PENNI_UNROLL
            Shift:
                for (int i = 0; i < C::PER_ROW - 1; ++i) {
                    PENNI_UNROLL
                    window[row * C::PER_ROW + i] = window[row * C::PER_ROW + i + 1];
                }
                const int at = int(bank) + row;
                const int y = int(in_row) + row;
                const bool real = inside && y >= 0 && y < C::H;
                window[row * C::PER_ROW + C::PER_ROW - 1] = real ? column[at < C::ROWS ? at : at - C::ROWS] : pad;
            Multiply:
                for (int i = 0; i < C::PER_ROW; ++i) {
                    PENNI_UNROLL
                    const int index = row * C::PER_ROW + i;
                    sum += multiply<acc_t>(from_bits<C::CW, true>(get<C::CW, COEFS>(coefficients, index)), window[index]);
                }
            }
            acc = C::PER_ROW > 1 || tap == 0 ? acc_t(sum + HALF) : acc_t(acc + sum);
        }
        if (!ends) {
            ++tap;
            in_column = int(in_column) + 1;
            continue;
        }

        gathered[windows] = saturate<C::ZW, C::Z_SIGNED>(acc_t(acc >> C::SHIFT));
        if (out_column == C::WO - 1) {  // the next window begins an output row
            out_column = 0;
            tap = 0;
            in_column = -C::PAD_LEFT;
            in_row = int(in_row) + C::STRIDE_H;
            const int moved = int(bank) + C::STRIDE_H;
            bank = moved < C::ROWS ? moved : moved - C::ROWS;
        } else {
            ++out_column;
            tap = C::PER_ROW == 1 ? 0 : C::KW - C::STRIDE_W;
            in_column = int(in_column) + 1 - (C::PER_ROW == 1 ? C::KW - C::STRIDE_W : 0);
        }
        ++windows;
        if (windows < C::Q) continue;

        // The word is complete.
        word<C::Q * C::ZW> leaving;
    Pack:
        for (int pixel = 0; pixel < C::Q; ++pixel) {
            PENNI_UNROLL
            set<C::ZW, C::Q * C::ZW>(leaving, pixel, to_bits<C::ZW>(gathered[pixel]));
        }
        out.write(leaving);
        const word<C::D> others = rest & word<C::D>(rest - 1);
        if (others != 0) {
            rest = others;
        } else if (channel != C::KEPT - 1) {
            ++channel;
            rest = C::used(channel);
        } else {
            channel = 0;
            rest = C::used(0);
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
        }
        windows = 0;
        tap = 0;
        out_column = group_x;
        in_row = int(group_y) * C::STRIDE_H - C::PAD_TOP;
        in_column = int(group_x) * C::STRIDE_W - C::PAD_LEFT;
        bank = group_bank;
    }
}

}  // namespace penni

#endif
