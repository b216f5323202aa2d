// SPDX-License-Identifier: Apache-2.0
/// depthwise_conv: y[c,p] = sat((acc*M[c] + bias'[c]) >> SHIFT), acc = sum_t A[c,t] * x[c, p*STRIDE + t - PAD].
///
/// One loop, one step per cycle; each step does two things in parallel:
///   - one value of the stream goes into the row buffer: input row r is in bank r mod ROWS;
///   - the walker reads one column of a window, KH values, which are multiplied by its coefficients and accumulated; with
///     a window's last column the sum is requantized and leaves.
/// Pixel by pixel, channel by channel, column by column; the start of each pixel takes a step. Pixels are groups of one:
/// when one starts, what may arrive meanwhile, also of the next frame, and what is found a step ahead are those of
/// penni_basis_conv.hpp.
/// Coefficient word: the KH of a column, the top one lowest. Requant word: {bias with its rounding half, multiplier},
/// the multiplier lowest.
#ifndef PENNI_DEPTHWISE_CONV_HPP
#define PENNI_DEPTHWISE_CONV_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_row_groups.hpp"
#include "penni_types.hpp"

namespace penni {

/// What the writer and the groups of penni_row_groups.hpp ask for: every channel is buffered.
template <typename Config>
struct depthwise_rows : Config {
    static const int Q = 1;
    static const int KEPT = Config::C;
    static word<1> kept(int) {
        PENNI_INLINE
        return 1;
    }
};

/// acc*M + bias', shifted and saturated.
template <typename C>
word<C::YW> depthwise_result(const integer<C::ACCW, true>& acc, int channel) {
    PENNI_INLINE
    typedef integer<C::TOTALW, true> total_t;
    constexpr int CONSTANTS = C::MW + C::BW;
    static_assert(C::TOTALW <= 62, "totals are proven to fit 62 bits");
    const word<CONSTANTS> constants = C::requant(channel);
    total_t total = product<total_t, false>::of(acc, from_bits<C::MW, false>(bits_at<C::MW, 0, CONSTANTS>(constants)));
    total += from_bits<C::BW, true>(bits_at<C::BW, C::MW, CONSTANTS>(constants));
    return to_bits<C::YW>(saturate<C::YW, C::Y_SIGNED>(total_t(total >> C::SHIFT)));
}

template <typename C>
void depthwise_conv(hls::stream<word<C::XW> >& in, hls::stream<word<C::YW> >& out) {
    typedef integer<C::XW, C::X_SIGNED> x_t;
    typedef integer<C::ACCW, true> acc_t;
    typedef depthwise_rows<C> rows;
    static_assert(C::STRIDE_H <= C::KH && C::STRIDE_W <= C::KW, "nothing lies between one window and the next");
    static_assert(C::PAD_TOP < C::KH && C::PAD_LEFT < C::KW, "the first window holds a real value");

    PENNI_STATE x_t buffer[C::ROWS][C::W * C::C];
    PENNI_PARTITION(buffer, 1)
    storage<C::ROW_STYLE>::bind(buffer);

    PENNI_STATE row_writer<rows> writer;
    PENNI_STATE row_group<rows> group;
    PENNI_STARTED(started)
    if (!started) {
        writer.reset();
        group.reset();
        started = true;
    }
    bool walking = false, all_walked = false;
    // The walker: channel, column of the window, where that lies, its coefficients.
    counter<C::C> channel = 0;
    counter<C::KW> tap = 0;
    position<C::W + C::KW> in_column = 0;
    counter<C::C * C::KW> coef = 0;
    bool complete = false, last_channel = C::C == 1;  // tap, channel are at their last
    acc_t acc = 0;

Steps:
    for (bool done = false; !done;) {
        PENNI_PIPELINE_FREE(1)
        PENNI_TRIPS(C::STEPS)
        PENNI_DISTANCE(buffer, 2)  // as in penni_basis_conv.hpp
        const bool walk = walking && (!complete || PENNI_ROOM(out));  // else the result waits
        const bool ends = walk && complete;
        const bool pixel_ends = ends && last_channel;
        const bool start = !walking, load = start || ends;
        walking = !pixel_ends && (walking || (!all_walked && writer.arrived >= group.end));

        const bool take = writer.room && PENNI_THERE(in);
        if (take) {
            const x_t value = from_bits<C::XW, C::X_SIGNED>(in.read());
            buffer[writer.bank][writer.address] = value;
            writer.next();
        }
        writer.room = writer.arrived < group.limit;

        if (walk) {
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
                const int at = int(group.bank) + row;
                const int y = int(group.in_row) + row;
                const bool real = inside && y >= 0 && y < C::H;
                const x_t value = real ? column[at < C::ROWS ? at : at - C::ROWS] : pad;
                sum += product<acc_t, false>::of(from_bits<C::CW, true>(coefficients[row]), value);
            }
            acc = tap == 0 ? sum : acc_t(acc + sum);
            coef = coef == C::C * C::KW - 1 ? 0 : int(coef) + 1;
        }
        if (ends) {
            out.write(depthwise_result<C>(acc, channel));
            const bool second_last = channel == C::C - 2;
            channel = last_channel ? 0 : int(channel) + 1;
            last_channel = C::C == 1 || second_last;
        }

        // The next column: of the first window, or after this one.
        if (load) {
            tap = 0;
            complete = C::KW == 1;
            in_column = group.in_column;
        } else if (walk) {
            complete = tap == C::KW - 2;
            tap = int(tap) + 1;
            in_column = int(in_column) + 1;
        }

        if (pixel_ends) {
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
