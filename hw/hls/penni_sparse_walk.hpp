// SPDX-License-Identifier: Apache-2.0
/// sparse_mac, the second process: the program, one word per step: P lanes, each one coefficient for Q pixels. Accumulators
/// are cleared once per group and accumulate across rows; at a row's end the Q running sums are kept.
///
/// Program word: for each lane {last, where, coefficient}, lane 0 and the coefficient lowest. `where` is an address, or
/// with STEPW a step to it from the address before. Without ROW_BIT there is no `last`: the largest step goes to address
/// 0 and begins a row.
#ifndef PENNI_SPARSE_WALK_HPP
#define PENNI_SPARSE_WALK_HPP

#include "penni_blocks.hpp"
#include "penni_mac.hpp"
#include "penni_pragmas.hpp"
#include "penni_sparse_types.hpp"
#include "penni_types.hpp"

namespace penni {

/// The groups of a block.
template <typename C>
void sparse_mac_walk_block(const typename sparse_mac_types<C>::z_block& z, typename sparse_mac_types<C>::sums_block& sums) {
    PENNI_INLINE
    typedef sparse_mac_types<C> types;
    typedef mac_types<C> mac;
    constexpr int UNITS = types::UNITS;
    constexpr int WHEREW = types::WHEREW;
    constexpr int ENTRY = C::CW + WHEREW + C::ROW_BIT;
    constexpr int ROW_STEP = (1 << WHEREW) - 1;  // without ROW_BIT: begins a row
    constexpr int STEPS = C::LEN + !C::ROW_BIT;
    typename mac::sum_t accumulators[C::P][UNITS];
    typename mac::extra_t extras[C::P][UNITS];
    counter<C::LANE_ROWS> rows[C::P];
    integer<C::ADDRW, false> addresses[C::P];
    bool ended[C::P];
    PENNI_PARTITION(accumulators, 0)
    PENNI_PARTITION(extras, 0)
    PENNI_PARTITION(rows, 0)
    PENNI_PARTITION(addresses, 0)
    PENNI_PARTITION(ended, 0)
    counter<C::LEN> at = 0;                     // of the program
    counter<C::BLOCK * C::DEPTH> z_first = 0;   // of the group, in each lane
    counter<C::BLOCK * C::LANE_ROWS> first_row = 0;
    bool begin = true;                          // a group

    // One step more where the last row ends with the program.
Walk:
    for (int step = 0; step < C::BLOCK * STEPS; ++step) {
        PENNI_PIPELINE(1)
        if (begin) {
        ClearLanes:
            for (int lane = 0; lane < C::P; ++lane) {
                PENNI_UNROLL
                rows[lane] = 0;
                ended[lane] = true;
            ClearUnits:
                for (int unit = 0; unit < UNITS; ++unit) {
                    PENNI_UNROLL
                    accumulators[lane][unit] = 0;
                    extras[lane][unit] = 0;
                }
            }
        }
        word<ENTRY> entries[C::P];
        PENNI_PARTITION(entries, 0)
        unpack<ENTRY>(C::program(at < C::LEN ? int(at) : 0), entries);
    Lanes:
        for (int lane = 0; lane < C::P; ++lane) {
            PENNI_UNROLL
            const word<ENTRY> entry = entries[lane];
            const integer<C::CW, true> coefficient = from_bits<C::CW, true>(bits_at<C::CW, 0, ENTRY>(entry));
            const integer<WHEREW, false> where = from_bits<WHEREW, false>(bits_at<WHEREW, C::CW, ENTRY>(entry));
            const bool last = C::ROW_BIT && bits_at<1, ENTRY - 1, ENTRY>(entry) != 0;
            const bool begins = !C::ROW_BIT && (where == ROW_STEP || at == C::LEN);
            integer<C::ADDRW, false> address = begins ? 0 : int(where);
            if (C::STEPW > 0 && !begins && !ended[lane]) address += addresses[lane];
            addresses[lane] = address;
            ended[lane] = last;

            // A row that begins completes the sum of the one before, which its own products come upon.
            const int row = int(first_row) + int(rows[lane]);
            if (begins) mac_keep<C>(accumulators[lane], extras[lane], sums[lane][row]);
            typename types::z_t room[C::Q];
            PENNI_PARTITION(room, 0)
            const typename types::z_t(&values)[C::Q] =
                spread<C::ZW, C::Z_SIGNED, C::Q>(z[lane][int(z_first) + int(address)], room);
        Multiply:
            for (int unit = 0; unit < UNITS; ++unit) {
                PENNI_UNROLL
                mac_unit<C>::add(accumulators[lane][unit], extras[lane][unit], coefficient, values, unit);
            }
            if (last) mac_keep<C>(accumulators[lane], extras[lane], sums[lane][row]);
            if (begins || last) ++rows[lane];
        }
        begin = at == STEPS - 1;
        at = begin ? 0 : int(at) + 1;
        if (begin) {
            z_first = int(z_first) + C::DEPTH;
            first_row = int(first_row) + C::LANE_ROWS;
        }
    }
}

#ifndef __BAMBU__
template <typename C>
void sparse_mac_walk(hls::stream_of_blocks<typename sparse_mac_types<C>::z_block>& z,
                     hls::stream_of_blocks<typename sparse_mac_types<C>::sums_block>& sums) {
Blocks:
    for (int block = 0; block < sparse_mac_types<C>::BLOCKS; ++block) {
        hls::read_lock<typename sparse_mac_types<C>::z_block> from(z);
        hls::write_lock<typename sparse_mac_types<C>::sums_block> into(sums);
        sparse_mac_walk_block<C>(from, into);
    }
}
#endif

}  // namespace penni

#endif
