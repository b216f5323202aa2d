// SPDX-License-Identifier: Apache-2.0
/// Integer types of a given width, and the words that streams and memories carry.
///
///   integer<W, SIGNED>   a number of W bits
///   modular<W>           a number modulo 2^W, at least
///   word<W>              W raw bits: fields of N bits are read by `bits_at` and `unpack`, written by `put_bits` and `pack`
///   numbers<W, SIGNED, N>  N numbers of W bits that lie in a memory as one word
///
/// Here they are ap_int and ap_uint (in bambu aliases of ac_int, whose part-selects are written differently). With
/// PENNI_NATIVE (C simulation only) they are the next wider machine type: equal, because every value is proven to fit
/// its width, and about ten times as fast. The same sources are simulated both ways.
///
/// Where a field lies is a template argument, so that taking it is wiring in any compiler: an index that a loop counts
/// would be a shift of the whole word in one that does not unroll. Loops count through arrays of fields instead.
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

/// N bits of `from`, bit LOW the lowest.
template <int N, int LOW, int W>
word<N> bits_at(const word<W>& from) {
    PENNI_INLINE
    static_assert(LOW >= 0 && LOW + N <= W, "the field lies within the word");
#ifdef __BAMBU__
    return from.template slc<N>(LOW);
#else
    return word<N>(from.range(LOW + N - 1, LOW));
#endif
}

/// Replace N bits of `into`, bit LOW the lowest.
template <int N, int LOW, int W>
void put_bits(word<W>& into, const word<N>& bits) {
    PENNI_INLINE
    static_assert(LOW >= 0 && LOW + N <= W, "the field lies within the word");
#ifdef __BAMBU__
    into.set_slc(LOW, bits);
#else
    into.range(LOW + N - 1, LOW) = bits;
#endif
}

}  // namespace penni
#endif

namespace penni {

/// The fields below number END of a word of COUNT fields, N bits each, field 0 lowest.
template <int N, int COUNT, int END = COUNT>
struct fields_below {
    static void unpack(const word<N * COUNT>& from, word<N> (&fields)[COUNT]) {
        PENNI_INLINE
        fields_below<N, COUNT, END - 1>::unpack(from, fields);
        fields[END - 1] = bits_at<N, (END - 1) * N, N * COUNT>(from);
    }
    static void pack(const word<N> (&fields)[COUNT], word<N * COUNT>& into) {
        PENNI_INLINE
        fields_below<N, COUNT, END - 1>::pack(fields, into);
        put_bits<N, (END - 1) * N, N * COUNT>(into, fields[END - 1]);
    }
};

template <int N, int COUNT>
struct fields_below<N, COUNT, 0> {
    static void unpack(const word<N * COUNT>&, word<N> (&)[COUNT]) { PENNI_INLINE }
    static void pack(const word<N> (&)[COUNT], word<N * COUNT>&) { PENNI_INLINE }
};

/// A word -> its COUNT fields of N bits, field 0 lowest.
template <int N, int COUNT>
void unpack(const word<N * COUNT>& from, word<N> (&fields)[COUNT]) {
    PENNI_INLINE
    fields_below<N, COUNT>::unpack(from, fields);
}

/// COUNT fields of N bits -> a word, field 0 lowest.
template <int N, int COUNT>
word<N * COUNT> pack(const word<N> (&fields)[COUNT]) {
    PENNI_INLINE
    word<N * COUNT> all = 0;
    fields_below<N, COUNT>::pack(fields, all);
    return all;
}

/// Word `index` of a read-only memory that is kept in PARTS pieces of equal width, the lowest first.
template <int W, int PARTS, int DEPTH, typename T>
word<W> rom_word(const T (&parts)[PARTS][DEPTH], int index) {
    PENNI_INLINE
    constexpr int PIECE = (W + PARTS - 1) / PARTS;
    word<PIECE> pieces[PARTS];
    PENNI_PARTITION(pieces, 0)
Parts:
    for (int part = 0; part < PARTS; ++part) {
        PENNI_UNROLL
        pieces[part] = word<PIECE>(parts[part][index]);
    }
    return word<W>(pack<PIECE>(pieces));
}

#ifndef PENNI_NATIVE
template <int W, bool SIGNED, int N>
using numbers = word<W * N>;
template <int W, bool SIGNED, int N>
using values_of = integer<W, SIGNED>[N];

/// The numbers of a memory's word, the first in its lowest bits. `values` has room for them.
template <int W, bool SIGNED, int N>
const values_of<W, SIGNED, N>& spread(const numbers<W, SIGNED, N>& from, values_of<W, SIGNED, N>& values) {
    PENNI_INLINE
    word<W> bits[N];
    PENNI_PARTITION(bits, 0)
    unpack<W>(from, bits);
Values:
    for (int i = 0; i < N; ++i) {
        PENNI_UNROLL
        values[i] = from_bits<W, SIGNED>(bits[i]);
    }
    return values;
}

/// A memory's word of these numbers.
template <int W, bool SIGNED, int N>
numbers<W, SIGNED, N> together(const integer<W, SIGNED> (&values)[N]) {
    PENNI_INLINE
    word<W> bits[N];
    PENNI_PARTITION(bits, 0)
Values:
    for (int i = 0; i < N; ++i) {
        PENNI_UNROLL
        bits[i] = to_bits<W>(values[i]);
    }
    return pack<W>(bits);
}

/// One of them.
template <int W, bool SIGNED, int N>
integer<W, SIGNED> number_at(const numbers<W, SIGNED, N>& from, int index) {
    PENNI_INLINE
    integer<W, SIGNED> values[N];
    PENNI_PARTITION(values, 0)
    spread<W, SIGNED, N>(from, values);
    return values[index];
}

/// The numbers without the first, and `value` behind the last.
template <int W, bool SIGNED, int N>
numbers<W, SIGNED, N> shift_in(const numbers<W, SIGNED, N>& from, const integer<W, SIGNED>& value) {
    PENNI_INLINE
    numbers<W, SIGNED, N> moved = from >> (N > 1 ? W : 0);
    put_bits<W, W * (N - 1), W * N>(moved, to_bits<W>(value));
    return moved;
}
#endif

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

/// What a memory is made of, by the numbers of the folding. A pragma names an argument of an inlined function, so that each
/// stands where it is read whatever the number.
template <int STYLE>
struct storage;
template <>
struct storage<0> {
    template <typename T>
    static void bind(T& memory) {
        PENNI_INLINE
        PENNI_BIND_RAM(memory, lutram)
    }
};
template <>
struct storage<1> {
    template <typename T>
    static void bind(T& memory) {
        PENNI_INLINE
        PENNI_BIND_RAM(memory, bram)
    }
};
template <>
struct storage<2> {
    template <typename T>
    static void bind(T& memory) {
        PENNI_INLINE
        PENNI_BIND_RAM(memory, uram)
    }
};

/// a * b as an R, in a DSP or in LUTs.
template <typename R, bool IN_LUTS>
struct product {
    template <typename A, typename B>
    static R of(const A& a, const B& b) {
        PENNI_INLINE
        const R result = multiply<R>(a, b);
        PENNI_BIND_DSP(result)
        return result;
    }
};
template <typename R>
struct product<R, true> {
    template <typename A, typename B>
    static R of(const A& a, const B& b) {
        PENNI_INLINE
        const R result = multiply<R>(a, b);
        PENNI_BIND_FABRIC(result)
        return result;
    }
};

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
