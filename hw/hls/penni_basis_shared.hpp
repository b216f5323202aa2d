// SPDX-License-Identifier: Apache-2.0
/// basis_conv with KH * PER_ROW multipliers that take turns: what penni_basis_conv.hpp computes, word by word.
///
/// One loop, one step per cycle; each step does two things in parallel:
///   - one value of the stream goes into the row buffer, if its channel's bit in C::kept is 1: input row r is in bank r
///     mod ROWS;
///   - the walker reads one column of KH values. PER_ROW = 1: it is multiplied and accumulated. PER_ROW = KW: it is
///     shifted into a window; complete windows are multiplied. A word leaves with its last window.
/// The start of each group of Q output pixels takes a step. Then, for each channel and each of its bases (those whose bits
/// in C::used are 1), the walker reads the group's windows: PER_ROW = 1: KW columns each; PER_ROW = KW: KW columns for the
/// first window of an output row and STRIDE_W more for each further one. A short last group repeats its last value until Q
/// are counted. Groups, rows and what is found a step ahead are those of penni_basis_conv.hpp.
#ifndef PENNI_BASIS_SHARED_HPP
#define PENNI_BASIS_SHARED_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_row_groups.hpp"
#include "penni_types.hpp"

namespace penni {

/// The lowest bit of `bits` that is 1.
template <int D>
counter<D> lowest_bit(const word<D>& bits) {
    PENNI_INLINE
    word<1> each[D];
    PENNI_PARTITION(each, 0)
    unpack<1>(bits, each);
    counter<D> lowest = 0;
Bits:
    for (int bit = D - 1; bit >= 0; --bit) {
        PENNI_UNROLL
        if (each[bit] != 0) lowest = bit;
    }
    return lowest;
}

/// The bits of `bits` without the lowest that is 1.
template <int D>
word<D> without_lowest(const word<D>& bits) {
    PENNI_INLINE
    return bits & word<D>(bits - 1);
}

template <typename C>
void basis_shared(hls::stream<word<C::XW> >& in, hls::stream<word<C::Q * C::ZW> >& out) {
    typedef integer<C::XW, C::X_SIGNED> x_t;
    typedef integer<C::CW, true> coef_t;
    typedef integer<C::ACCW, true> acc_t;
    constexpr int TAPS = C::KH * C::PER_ROW;                               // multipliers
    constexpr int WORDS = C::PER_ROW == 1 ? 1 << address_bits(C::KW) : 1;  // of coefficients for each basis
    constexpr int64_t HALF = (int64_t(1) << C::SHIFT) >> 1;
    static_assert(C::PER_ROW == 1 || C::PER_ROW == C::KW, "a column or a window at once");
    static_assert(C::KW > 1, "a word takes long enough to find the next one");

    PENNI_STATE x_t buffer[C::ROWS][C::W * C::KEPT];
    x_t window[TAPS];
    word<C::ZW> gathered[C::Q];
    PENNI_PARTITION(buffer, 1)
    storage<C::ROW_STYLE>::bind(buffer);
    PENNI_PARTITION(window, 0)
    PENNI_PARTITION(gathered, 0)

    PENNI_STATE row_writer<C> writer;
    PENNI_STATE row_group<C> group;
    PENNI_STARTED(started)
    if (!started) {
        writer.reset();
        group.reset();
        started = true;
    }
    bool walking = false, all_walked = false;
    // The walker: channel, its bases that are not done, those behind the lowest; column of the window, windows done; where
    // the window's first row and the column lie.
    counter<C::KEPT> channel = 0;
    word<C::D> rest = C::used(0), later = without_lowest<C::D>(rest);
    counter<C::KW> tap = 0;
    counter<C::Q> pixel = 0;
    counter<C::WO> out_column = 0;
    position<C::H + C::KH> in_row = 0;
    position<C::W + C::KW> in_column = 0;
    counter<2 * C::ROWS> bank = 0;  // of in_row
    // tap, pixel, channel, out_column are at their last; this is the channel's last basis; the last window is held.
    bool complete = false, last_pixel = false, last_channel = C::KEPT == 1, row_end = false, last_basis = later == 0;
    bool hold = false;
    acc_t acc = 0;

Steps:
    for (bool done = false; !done;) {
        PENNI_PIPELINE_FREE(1)
        PENNI_TRIPS(C::STEPS)
        PENNI_DISTANCE(buffer, 2)  // as in penni_basis_conv.hpp
        const bool walk = walking && (!complete || !last_pixel || PENNI_ROOM(out));  // else the word waits
        const bool ends = walk && complete;
        const bool word_ends = ends && last_pixel;
        const bool group_ends = word_ends && last_basis && last_channel;
        const bool start = !walking, load = start || word_ends;
        walking = !group_ends && (walking || (!all_walked && writer.arrived >= group.end));

        const bool take = writer.room && PENNI_THERE(in);
        if (take) {
            const x_t value = from_bits<C::XW, C::X_SIGNED>(in.read());
            if (writer.kept()) buffer[writer.bank][writer.address] = value;
            writer.next();
        }
        writer.room = writer.arrived < group.limit;

        if (walk && !hold) {
            // A column: every bank is read at one address, then KH values are selected in order.
            const bool inside = in_column >= 0 && in_column < C::W;
            const int address = inside ? int(in_column) * C::KEPT + int(channel) : 0;
            const x_t pad = outside<C>::value(channel);
            const int basis = lowest_bit<C::D>(rest);
            word<C::CW> coefficients[TAPS];
            PENNI_PARTITION(coefficients, 0)
            unpack<C::CW>(C::coefs(basis * WORDS + (C::PER_ROW == 1 ? int(tap) : 0)), coefficients);
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
                    const coef_t coefficient = from_bits<C::CW, true>(coefficients[row * C::PER_ROW + i]);
                    sum += product<acc_t, false>::of(coefficient, window[row * C::PER_ROW + i]);
                }
            }
            acc = C::PER_ROW > 1 || tap == 0 ? acc_t(sum + HALF) : acc_t(acc + sum);
        }
        if (ends) gathered[pixel] = to_bits<C::ZW>(saturate<C::ZW, C::Z_SIGNED>(acc_t(acc >> C::SHIFT)));
        if (word_ends) {
            out.write(pack<C::ZW>(gathered));
            if (last_basis) {
                const bool second_last = channel == C::KEPT - 2;
                channel = last_channel ? 0 : int(channel) + 1;
                last_channel = C::KEPT == 1 || second_last;
                rest = C::used(channel);
            } else {
                rest = later;
            }
            later = without_lowest<C::D>(rest);
            last_basis = later == 0;
        }

        // The next column: of a word's first window, or after this one.
        if (load) {
            tap = 0;
            complete = false;
            pixel = 0;
            last_pixel = C::Q == 1;
            hold = false;
            out_column = group.x;
            row_end = group.row_end;
            in_row = group.in_row;
            in_column = group.in_column;
            bank = group.bank;
        } else if (ends) {
            constexpr int AGAIN = C::PER_ROW == 1 ? C::KW - C::STRIDE_W : 0;  // columns that are read once more
            hold = hold || int(pixel) + 1 >= group.pixels_left;
            complete = hold || (!row_end && C::PER_ROW > 1 && C::STRIDE_W == 1);
            last_pixel = pixel == C::Q - 2;
            pixel = int(pixel) + 1;
            const bool second_last = out_column == C::WO - 2;
            if (row_end) {  // the next window begins an output row
                out_column = 0;
                tap = 0;
                in_column = -C::PAD_LEFT;
                in_row = int(in_row) + C::STRIDE_H;
                bank = below<C>(bank, C::STRIDE_H);
            } else {
                out_column = int(out_column) + 1;
                tap = C::PER_ROW == 1 ? 0 : C::KW - C::STRIDE_W;
                in_column = int(in_column) + 1 - AGAIN;
            }
            row_end = C::WO == 1 || second_last;
        } else if (walk) {
            complete = tap == C::KW - 2;
            tap = int(tap) + 1;
            in_column = int(in_column) + 1;
        }

        if (group_ends) {
            all_walked = group.last;
            group.next();
        } else if (start) {
            group.look_ahead();
        }
        done = all_walked && writer.complete();
        PENNI_REST(!(take || walk || done || (start && walking)), in, out)
    }
    writer.next_frame();
    group.next_frame();
}

}  // namespace penni

#endif
