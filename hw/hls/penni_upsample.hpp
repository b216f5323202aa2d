// SPDX-License-Identifier: Apache-2.0
/// upsample: y[h, w, c] = x[h / FACTOR, w / FACTOR, c].
///
/// A ping-pong buffer of two rows. One loop, one step per cycle; each step does two things in parallel: a value of the
/// stream goes into the buffer, also one of the next frame, where a half is free; and a value of a row that has arrived
/// leaves. Each row leaves FACTOR times, each of its pixels FACTOR times in each of them.
#ifndef PENNI_UPSAMPLE_HPP
#define PENNI_UPSAMPLE_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
void upsample(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out) {
    constexpr int ROW = C::W * C::C;
    constexpr int STEPS = C::H * C::FACTOR * C::FACTOR * ROW;
    static_assert(C::FACTOR > 1, "a row is read more than once");

    PENNI_STATE word<C::XW> rows[2 * ROW];
    storage<C::ROW_BLOCK>::bind(rows);

    PENNI_STATE counter<2 * ROW> write, read;
    PENNI_STATE counter<ROW> taken;        // values of the row that arrives
    PENNI_STATE counter<C::H + 2> arrived;  // rows, on into the next frame
    PENNI_STARTED(started)
    if (!started) {
        write = 0;
        read = 0;
        taken = 0;
        arrived = 0;
        started = true;
    }
    counter<C::H> given = 0;  // rows that have left
    counter<C::C> channel = 0;
    counter<C::W> column = 0;
    counter<C::FACTOR> copy = 0, row_copy = 0;
    bool room = arrived < 2, ready = false;  // a half is free; a row is there

Steps:
    for (bool done = false; !done;) {
        PENNI_PIPELINE_FREE(1)
        PENNI_TRIPS(STEPS)
        // The step after that in which a row's last value is written finds the row to be there, and the one after that
        // reads.
        PENNI_DISTANCE(rows, 2)
        const counter<C::H + 2> there = arrived;
        const bool take = room && PENNI_THERE(in);
        const bool give = ready && PENNI_ROOM(out);
        if (take) {
            rows[write] = in.read();
            write = write == 2 * ROW - 1 ? 0 : int(write) + 1;
            const bool last = taken == ROW - 1;
            taken = last ? 0 : int(taken) + 1;
            if (last) arrived = int(arrived) + 1;
        }
        if (give) {
            out.write(rows[read]);
            // Back to the pixel's first channel until it has FACTOR copies, to the row's first pixel until it has.
            const bool last_channel = channel == C::C - 1, last_copy = last_channel && copy == C::FACTOR - 1;
            const bool last_column = last_copy && column == C::W - 1;
            const bool last_row_copy = last_column && row_copy == C::FACTOR - 1;
            if (last_channel && !last_copy) {
                read = int(read) - (C::C - 1);
            } else if (last_column && !last_row_copy) {
                read = int(read) - (ROW - 1);
            } else {
                read = read == 2 * ROW - 1 ? 0 : int(read) + 1;
            }
            channel = last_channel ? 0 : int(channel) + 1;
            if (last_channel) copy = last_copy ? 0 : int(copy) + 1;
            if (last_copy) column = last_column ? 0 : int(column) + 1;
            if (last_column) row_copy = last_row_copy ? 0 : int(row_copy) + 1;
            if (last_row_copy) given = int(given) + 1;
        }
        const bool waited = !ready;
        ready = given < there;
        room = arrived < given + 2 && (PENNI_AHEAD || arrived < C::H);
        done = given == C::H;
        PENNI_REST(!(take || give || done || (ready && waited)), in, out)
    }
    arrived = int(arrived) - C::H;
}

}  // namespace penni

#endif
