// SPDX-License-Identifier: Apache-2.0
/// basis_conv: z[c,b,p] = sat(rshift(sum_t B[b,t] * x[c, p*STRIDE + t - PAD], s_b), Z), in tile order.
///
/// One loop, one step per cycle; each step does three things in parallel:
///   - one value of the stream goes into the row buffer, if its channel's bit in C::kept is 1 (so KEPT of the C channels
///     are buffered, and only these are walked): input row r is in bank r mod ROWS;
///   - the walker reads one column of KH values; when a window is complete, C::basis (a constant adder graph) returns
///     all D results, which are gathered until Q neighbouring pixels of this channel are there;
///   - one of the D words of the previous channel leaves, if its bit in C::used is 1.
/// The start of each group of Q output pixels takes a step. Then, for each channel, the walker reads KW columns for the
/// first window of an output row and STRIDE_W more for each further one; a short last group holds its last window until
/// Q are counted; a channel takes at least D steps. A group starts when its pixels have arrived; later input, also of the
/// next frame, stays within ROWS rows from the group's first pixel on. The writer takes a value where one is there, the
/// walker waits where a word of the channel before has found no room: neither holds up the other. What is asked of a
/// counter in every step (whether it is at its end) is a variable beside it, found a step ahead: what one step hands to
/// the next is then a few gates and one addition or comparison.
#ifndef PENNI_BASIS_CONV_HPP
#define PENNI_BASIS_CONV_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_row_groups.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
void basis_conv(hls::stream<word<C::XW> >& in, hls::stream<word<C::Q * C::ZW> >& out) {
    typedef integer<C::XW, C::X_SIGNED> x_t;
    typedef typename C::z_t z_t;
    constexpr int SLACK = C::Q + C::KW - 1 < C::D ? C::D - 1 : 0;  // steps that a channel's last column may have to wait
    static_assert(C::STRIDE_H <= C::KH && C::STRIDE_W <= C::KW, "nothing lies between one window and the next");
    static_assert(C::PAD_TOP < C::KH && C::PAD_LEFT < C::KW, "the first window holds a real value");
    static_assert((C::HO - 1) * C::STRIDE_H - C::PAD_TOP < C::H, "the last window holds a real row");
    static_assert((C::WO - 1) * C::STRIDE_W - C::PAD_LEFT < C::W, "the last window holds a real column");

    PENNI_STATE x_t buffer[C::ROWS][C::W * C::KEPT];
    x_t window[C::KH * C::KW];
    word<C::ZW> gathered[C::D][C::Q];
    word<C::Q * C::ZW> leaving[C::D];
    word<1> sent[C::D];
    PENNI_PARTITION(buffer, 1)
    storage<C::ROW_STYLE>::bind(buffer);
    PENNI_PARTITION(window, 0)
    PENNI_PARTITION(gathered, 0)
    PENNI_PARTITION(leaving, 0)
    PENNI_PARTITION(sent, 0)

    PENNI_STATE row_writer<C> writer;
    PENNI_STATE row_group<C> group;
    PENNI_STARTED(started)
    if (!started) {
        writer.reset();
        group.reset();
        started = true;
    }
    bool walking = false, all_walked = false;
    // The walker: channel; columns missing from the window, windows done; where the window's first row and column lie.
    counter<C::KEPT> channel = 0;
    counter<C::KW> missing = 0;
    counter<C::Q> pixel = 0;
    counter<C::D> slack = 0;
    counter<C::WO> out_column = 0;
    position<C::H + C::KH> in_row = 0;
    position<C::W + C::KW> in_column = 0;
    counter<2 * C::ROWS> bank = 0;  // of in_row
    // missing, slack are 0; pixel, channel, out_column are at their last; this column is the channel's last; the last
    // window is held.
    bool complete = false, slack_over = false, last_pixel = false, last_channel = C::KEPT == 1, row_end = false;
    bool unit_ends = false, hold = false;
    // Whether words of the previous channel leave, and which one is next.
    bool sending = false;
    counter<C::D> basis = 0;

Steps:
    for (bool done = false; !done;) {
        PENNI_PIPELINE_FREE(1)
        PENNI_TRIPS(C::STEPS)
        // A value is written in the step that counts its pixel as arrived, or before; the step after that finds the group
        // to be complete, and the one after that reads: two steps lie between, at least.
        PENNI_DISTANCE(buffer, 2)
        const bool walk = walking;
        const bool send = sending && PENNI_ROOM(out);
        const bool free = slack_over && (!sending || (send && basis == C::D - 1));  // for the words of the channel
        const bool advance = walk && (free || !unit_ends);
        const bool channel_ends = walk && free && unit_ends;
        const bool moves = walk && (advance || !slack_over);
        const bool group_ends = channel_ends && last_channel;
        const bool load = !walk || channel_ends;
        walking = !group_ends && (walk || (!all_walked && writer.arrived >= group.end));

        if (send) {
            if (sent[basis] != 0) out.write(leaving[basis]);
            sending = basis != C::D - 1;
            basis = int(basis) + 1;
        }

        const bool take = writer.room && PENNI_THERE(in);
        if (take) {
            const x_t value = from_bits<C::XW, C::X_SIGNED>(in.read());
            if (writer.kept()) buffer[writer.bank][writer.address] = value;
            writer.next();
        }
        writer.room = writer.arrived < group.limit;

        if (advance && !hold) {
            // A column: every bank is read at one address, then KH values are selected in order.
            const bool inside = in_column >= 0 && in_column < C::W;
            const int address = inside ? int(in_column) * C::KEPT + int(channel) : 0;
            x_t column[C::ROWS];
            PENNI_PARTITION(column, 0)
            const x_t pad = outside<C>::value(channel);
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
        if (advance && complete) {
            z_t z[C::D];
            PENNI_PARTITION(z, 0)
            C::basis(window, z);
        Gather:
            for (int i = 0; i < C::D; ++i) {
                PENNI_UNROLL
                gathered[i][pixel] = to_bits<C::ZW>(z[i]);
            }
        }
        if (channel_ends) {  // its words leave from the next step on
        Leave:
            for (int i = 0; i < C::D; ++i) {
                PENNI_UNROLL
                leaving[i] = pack<C::ZW>(gathered[i]);
            }
            unpack<1>(C::used(channel), sent);
            sending = true;
            basis = 0;
            const bool second_last = channel == C::KEPT - 2;
            channel = last_channel ? 0 : int(channel) + 1;
            last_channel = C::KEPT == 1 || second_last;
        }

        // The next column: of a channel's first window, or after this one.
        if (load) {
            missing = C::KW - 1;
            complete = C::KW == 1;
            pixel = 0;
            last_pixel = C::Q == 1;
            unit_ends = C::KW == 1 && C::Q == 1;
            hold = false;
            slack = SLACK;
            slack_over = SLACK == 0;
            out_column = group.x;
            row_end = group.row_end;
            in_row = group.in_row;
            in_column = group.in_column;
            bank = group.bank;
        } else {
            slack_over = slack_over || slack == 1;
            if (slack != 0) slack = int(slack) - 1;
            if (advance && complete) {
                hold = hold || int(pixel) + 1 >= group.pixels_left;
                missing = row_end ? C::KW - 1 : C::STRIDE_W - 1;
                complete = hold || (row_end ? C::KW == 1 : C::STRIDE_W == 1);
                last_pixel = pixel == C::Q - 2;
                unit_ends = last_pixel && complete;
                pixel = int(pixel) + 1;
                const bool second_last = out_column == C::WO - 2;
                if (row_end) {  // the next window begins an output row
                    out_column = 0;
                    in_column = -C::PAD_LEFT;
                    in_row = int(in_row) + C::STRIDE_H;
                    bank = below<C>(bank, C::STRIDE_H);
                } else {
                    out_column = int(out_column) + 1;
                    in_column = int(in_column) + 1;
                }
                row_end = C::WO == 1 || second_last;
            } else if (advance) {
                complete = missing == 1;
                unit_ends = last_pixel && complete;
                missing = int(missing) - 1;
                in_column = int(in_column) + 1;
            }
        }

        if (group_ends) {
            all_walked = group.last;
            group.next();
        } else if (!walk) {
            group.look_ahead();
        }
        done = all_walked && !sending && writer.complete();
        PENNI_REST(!(take || send || done || moves || (!walk && walking)), in, out)
    }
    writer.next_frame();
    group.next_frame();
}

}  // namespace penni

#endif
