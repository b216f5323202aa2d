// SPDX-License-Identifier: Apache-2.0
/// depthwise_conv: y[c,p] = sat((acc*M[c] + bias'[c]) >> SHIFT), acc = sum_t A[c,t] * x[c, p*STRIDE + t - PAD].
///
/// One loop, one step per cycle; each step does two things in parallel:
///   - one value of the stream goes into the row buffer: input row r is in bank r mod ROWS;
///   - one column of a window, KH values, is multiplied by its coefficients and accumulated; with a window's last column
///     the sum is requantized and leaves.
/// Pixel by pixel, channel by channel, column by column. A row of windows begins when its rows have arrived, which takes
/// a step to find; later input stays within the ROWS rows that start with the window's first. All of this depends on the
/// step alone, never on data or stalls, so STEPS is a constant.
/// Coefficient word: the KH of a column, the top one lowest. Requant word: {bias with its rounding half, multiplier},
/// the multiplier lowest.
#ifndef PENNI_DEPTHWISE_CONV_HPP
#define PENNI_DEPTHWISE_CONV_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_row_groups.hpp"
#include "penni_types.hpp"

namespace penni {

constexpr int CHECKED_ROWS = 1024;  ///< of more, a compiler's limit of constant evaluation might end the count

/// One more than the last input row that output row y reads.
template <typename C>
constexpr int depthwise_conv_end(int y) {
    return y * C::STRIDE_H - C::PAD_TOP + C::KH < C::H ? y * C::STRIDE_H - C::PAD_TOP + C::KH : C::H;
}

/// One more than the last input row that the buffer may hold while output row y is computed; y = HO: behind the last.
template <typename C>
constexpr int depthwise_conv_limit(int y) {
    const int top = y * C::STRIDE_H > C::PAD_TOP ? y * C::STRIDE_H - C::PAD_TOP : 0;
    return y == C::HO || top + C::ROWS > C::H ? C::H : top + C::ROWS;
}

/// Steps per frame: the loop below, counted row by row.
template <typename C>
constexpr int depthwise_conv_steps() {
    constexpr int ROW = C::W * C::C, WALK = C::WO * C::C * C::KW;
    int step = 0, written = 0, room = depthwise_conv_limit<C>(0) * ROW;
    for (int y = 0; y < C::HO; ++y) {
        const int start = step, needed = depthwise_conv_end<C>(y) * ROW, limit = depthwise_conv_limit<C>(y) * ROW;
        const bool there = written >= needed;
        if (written < room) ++written;
        if (!there) step += 1 + (needed > written ? needed - written : 0);
        step += 1 + WALK;
        written = written + step - start - 1 < limit ? written + step - start - 1 : limit;
        room = limit;
    }
    const int rest = C::H * ROW - written;
    return step + (rest == 0 || written < room ? rest : 1 + rest);
}

template <typename C>
void depthwise_conv(hls::stream<word<C::XW> >& in, hls::stream<word<C::YW> >& out) {
    typedef integer<C::XW, C::X_SIGNED> x_t;
    typedef integer<C::ACCW, true> acc_t;
    typedef integer<C::TOTALW, true> total_t;
    constexpr int CONSTANTS = C::MW + C::BW;
    static_assert(C::TOTALW <= 62, "totals are proven to fit 62 bits");
    static_assert(C::STRIDE_H <= C::KH && C::PAD_TOP < C::KH, "the next row of windows begins within this one");
    static_assert(C::HO > CHECKED_ROWS || C::STEPS == depthwise_conv_steps<C>(), "STEPS is what the loop needs");

    x_t buffer[C::ROWS][C::W * C::C];
    PENNI_PARTITION(buffer, 1)
    storage<C::ROW_STYLE>::bind(buffer);

    // The writer: bank and address of the next value, and its row.
    counter<C::H> write_row = 0;
    counter<C::ROWS> write_bank = 0;
    counter<C::W * C::C> write_address = 0;
    bool room = true;
    // The output row and where its rows end; likewise of the next one, found while the row waits.
    counter<C::HO> y = 0;
    counter<C::H> end_row = depthwise_conv_end<C>(0), limit_row = depthwise_conv_limit<C>(0);
    counter<C::H> next_end = depthwise_conv_end<C>(1), next_limit = depthwise_conv_limit<C>(1);
    bool walking = false;
    // The walker: output column, channel, column of the window; where the window's first row and column lie.
    counter<C::WO> x = 0;
    counter<C::C> channel = 0;
    counter<C::KW> tap = 0;
    counter<C::C * C::KW> coef = 0;
    position<C::H + C::KH> in_row = -C::PAD_TOP;
    position<C::W + C::KW> window_column = -C::PAD_LEFT, in_column = -C::PAD_LEFT;
    counter<2 * C::ROWS> bank = (C::ROWS - C::PAD_TOP) % C::ROWS;  // of in_row
    acc_t acc = 0;

Steps:
    for (int step = 0; step < C::STEPS; ++step) {
        PENNI_PIPELINE_FREE(1)
        // A row counts as written from the step after its last value on; the step after that finds it to be there, and the
        // one after that reads: two steps lie between, at least.
        PENNI_DISTANCE(buffer, 2)
        const bool walk = walking;
        if (!walk) {
            walking = y < C::HO && write_row >= end_row;
            next_end = depthwise_conv_end<C>(int(y) + 1);
            next_limit = depthwise_conv_limit<C>(int(y) + 1);
        }

        if (room) {
            const x_t value = from_bits<C::XW, C::X_SIGNED>(in.read());
            buffer[write_bank][write_address] = value;
            if (write_address == C::W * C::C - 1) {
                write_address = 0;
                write_bank = write_bank == C::ROWS - 1 ? 0 : int(write_bank) + 1;
                ++write_row;
            } else {
                ++write_address;
            }
        }
        room = write_row < limit_row;

        if (!walk) continue;

        // A column: every bank is read at one address, then KH values are selected in order.
        const bool inside = in_column >= 0 && in_column < C::W;
        const int address = inside ? int(in_column) * C::C + int(channel) : 0;
        const x_t pad = outside<C>::value(channel);
        word<C::CW> coefficients[C::KH];
        PENNI_PARTITION(coefficients, 0)
        unpack<C::CW>(C::coefs(coef), coefficients);
        x_t column[C::ROWS];
        PENNI_PARTITION(column, 0)
    Banks:
        for (int row = 0; row < C::ROWS; ++row) {
            PENNI_UNROLL
            column[row] = buffer[row][address];
        }
        acc_t sum = 0;
    Multiply:
        for (int row = 0; row < C::KH; ++row) {
            PENNI_UNROLL
            const int at = int(bank) + row;
            const int from = int(in_row) + row;
            const bool real = inside && from >= 0 && from < C::H;
            const x_t value = real ? column[at < C::ROWS ? at : at - C::ROWS] : pad;
            sum += product<acc_t, false>::of(from_bits<C::CW, true>(coefficients[row]), value);
        }
        acc = tap == 0 ? sum : acc_t(acc + sum);
        coef = coef == C::C * C::KW - 1 ? 0 : int(coef) + 1;

        if (tap != C::KW - 1) {
            ++tap;
            in_column = int(in_column) + 1;
            continue;
        }
        tap = 0;
        const word<CONSTANTS> constants = C::requant(channel);
        total_t total = product<total_t, false>::of(acc, from_bits<C::MW, false>(bits_at<C::MW, 0, CONSTANTS>(constants)));
        total += from_bits<C::BW, true>(bits_at<C::BW, C::MW, CONSTANTS>(constants));
        out.write(to_bits<C::YW>(saturate<C::YW, C::Y_SIGNED>(total_t(total >> C::SHIFT))));

        if (channel != C::C - 1) {
            ++channel;
            in_column = window_column;
            continue;
        }
        channel = 0;
        if (x != C::WO - 1) {
            ++x;
            window_column = int(window_column) + C::STRIDE_W;
        } else {
            x = 0;
            window_column = -C::PAD_LEFT;
            ++y;
            walking = false;
            end_row = next_end;
            limit_row = next_limit;
            in_row = int(in_row) + C::STRIDE_H;
            bank = below<C>(bank, C::STRIDE_H);
        }
        in_column = window_column;
    }
}

}  // namespace penni

#endif
