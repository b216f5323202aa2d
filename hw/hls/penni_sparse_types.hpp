// SPDX-License-Identifier: Apache-2.0
/// What the processes of sparse_mac hand each other, and how much of it a frame has.
#ifndef PENNI_SPARSE_TYPES_HPP
#define PENNI_SPARSE_TYPES_HPP

#include "penni_mac.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
struct sparse_mac_types {
    typedef integer<C::ZW, C::Z_SIGNED> z_t;
    typedef word<mac_types<C>::UNITW> running_t;
    typedef integer<C::ACCW, true> acc_t;
    typedef integer<C::TOTALW, true> total_t;
    typedef integer<C::SKIPW, C::SKIP_SIGNED> skip_t;
    static const int UNITS = mac_types<C>::UNITS;
    static const int WHEREW = C::STEPW > 0 ? C::STEPW : C::ADDRW;
    static const int BEAT_VALUES = C::TILED ? C::Q : 1;
    static const int BEAT = BEAT_VALUES * C::ZW;  ///< width of an input word
    static const int GROUPS = (C::PIXELS + C::Q - 1) / C::Q;
    static const int BLOCKS = (GROUPS + C::BLOCK - 1) / C::BLOCK;
    static const int BEATS = C::DEPTH * (C::TILED ? GROUPS : C::PIXELS);  ///< input words of a frame
    static const int VALUES = C::PIXELS * C::CO;                          ///< results of a frame
    typedef numbers<C::ZW, C::Z_SIGNED, C::Q> z_word;                  ///< Q pixels at one address
    typedef numbers<mac_types<C>::UNITW, false, UNITS> sums_word;      ///< Q pixels of one row
    typedef z_word z_block[C::P][C::BLOCK * C::DEPTH];
    typedef sums_word sums_block[C::P][C::BLOCK * C::LANE_ROWS];
    typedef counter<BEATS> beats_left;    ///< that are still to come in the frame
    typedef counter<VALUES> values_left;  ///< that are still to leave
    static_assert(C::TOTALW <= 62, "totals are proven to fit 62 bits");
    static_assert(C::ADDRW == address_bits(C::DEPTH), "an address reaches every z and no further");
};

}  // namespace penni

#endif
