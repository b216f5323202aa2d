// SPDX-License-Identifier: Apache-2.0
/// Integer types of a given width, and the words that streams and memories carry.
///
///   integer<W, SIGNED>   a number of W bits
///   modular<W>           a number modulo 2^W, at least
///   word<W>              W raw bits: fields of N bits are read by `get`, written by `set`
///
/// Here they are ap_int and ap_uint (in bambu aliases of ac_int, whose part-selects are written differently). With
/// PENNI_NATIVE (C simulation only) they are the next wider machine type: equal, because every value is proven to fit
/// its width, and about ten times as fast. The same sources are simulated both ways.
#ifndef PENNI_TYPES_HPP
#define PENNI_TYPES_HPP

#include <stdint.h>

namespace penni {

/// Bits to address `depth` words, at least 1 (as address_bits in penni_hls/target/memory.py).
constexpr int address_bits(int depth) { return depth <= 2 ? 1 : 1 + address_bits((depth + 1) / 2); }

}  // namespace penni

#ifdef PENNI_NATIVE
#include "penni_native.hpp"
#else
#include <ap_int.h>

#include "penni_pragmas.hpp"

namespace penni {

template <int W, bool SIGNED>
struct integer_of {
    typedef ap_int<W> type;
};
template <int W>
struct integer_of<W, false> {
    typedef ap_uint<W> type;
};
template <int W, bool SIGNED>
using integer = typename integer_of<W, SIGNED>::type;
template <int W>
using modular = ap_int<W>;
template <int W>
using word = ap_uint<W>;

/// a * b as an R. The product is computed at its own width.
template <typename R, typename A, typename B>
R multiply(const A& a, const B& b) {
    PENNI_INLINE
    return R(a * b);
}

/// The number that W bits represent.
template <int W, bool SIGNED>
integer<W, SIGNED> from_bits(const word<W>& bits) {
    PENNI_INLINE
    return integer<W, SIGNED>(bits);
}

/// The bits of a number.
template <int W, typename T>
word<W> to_bits(const T& value) {
    PENNI_INLINE
    return word<W>(value);
}

/// N bits of `from`, bit `low` the lowest.
template <int N, int W>
word<N> bits_at(const word<W>& from, int low) {
    PENNI_INLINE
#ifdef __BAMBU__
    return from.template slc<N>(low);
#else
    return word<N>(from.range(low + N - 1, low));
#endif
}

/// Replace N bits of `into`, bit `low` the lowest.
template <int N, int W>
void put_bits(word<W>& into, int low, const word<N>& bits) {
    PENNI_INLINE
#ifdef __BAMBU__
    into.set_slc(low, bits);
#else
    into.range(low + N - 1, low) = bits;
#endif
}

/// Field `index` of `from`, N bits each, field 0 lowest.
template <int N, int W>
word<N> get(const word<W>& from, int index) {
    PENNI_INLINE
    return bits_at<N, W>(from, index * N);
}

/// Replace field `index` of `into`.
template <int N, int W>
void set(word<W>& into, int index, const word<N>& field) {
    PENNI_INLINE
    put_bits<N, W>(into, index * N, field);
}

/// Word `index` of a read-only memory that is kept in PARTS pieces of equal width, the lowest first.
template <int W, int PARTS, int DEPTH, typename T>
word<W> rom_word(const T (&parts)[PARTS][DEPTH], int index) {
    PENNI_INLINE
    constexpr int PIECE = (W + PARTS - 1) / PARTS;
    word<PIECE * PARTS> all = 0;
Parts:
    for (int part = 0; part < PARTS; ++part) {
        PENNI_UNROLL
        put_bits<PIECE, PIECE * PARTS>(all, part * PIECE, word<PIECE>(parts[part][index]));
    }
    return word<W>(all);
}

}  // namespace penni
#endif

namespace penni {

/// The nearest value that W bits can hold.
template <int W, bool SIGNED, typename T>
integer<W, SIGNED> saturate(const T& value) {
    PENNI_INLINE
    static_assert(W < 63, "limits are made in 64 bits");
    constexpr int64_t LO = SIGNED ? -(int64_t(1) << (W - 1)) : 0;
    constexpr int64_t HI = (int64_t(1) << (W - SIGNED)) - 1;
    if (value < LO) return integer<W, SIGNED>(LO);
    if (value > HI) return integer<W, SIGNED>(HI);
    return integer<W, SIGNED>(value);
}

/// (sum + half) >> SHIFT, in WIDE bits: round half up.
template <int WIDE, int SHIFT, typename T>
integer<WIDE, true> round_shift(const T& sum) {
    PENNI_INLINE
    const integer<WIDE, true> wide = sum;
    if (SHIFT == 0) return wide;
    return integer<WIDE, true>(wide + ((1 << SHIFT) >> 1)) >> SHIFT;
}

/// Counts from 0 to MAX.
template <int MAX>
using counter = integer<address_bits(MAX + 1), false>;
/// From -MAX-1 to MAX.
template <int MAX>
using position = integer<address_bits(MAX + 1) + 1, true>;

}  // namespace penni

#endif
