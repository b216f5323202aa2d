// SPDX-License-Identifier: Apache-2.0
/// The types of penni_types.hpp as machine types, for fast C simulation (PENNI_NATIVE).
#ifndef PENNI_NATIVE_HPP
#define PENNI_NATIVE_HPP

#include "penni_pragmas.hpp"

namespace penni {

/// Wider than 128 bits: only fields can be read and written.
template <int COUNT>
struct limbs {
    uint64_t limb[COUNT];
    limbs(uint64_t low = 0) : limb() { limb[0] = low; }
};

template <int BYTES, bool SIGNED>
struct machine;
template <> struct machine<1, true> { typedef int8_t type; };
template <> struct machine<2, true> { typedef int16_t type; };
template <> struct machine<4, true> { typedef int32_t type; };
template <> struct machine<8, true> { typedef int64_t type; };
template <> struct machine<1, false> { typedef uint8_t type; };
template <> struct machine<2, false> { typedef uint16_t type; };
template <> struct machine<4, false> { typedef uint32_t type; };
template <> struct machine<8, false> { typedef uint64_t type; };

constexpr int bytes_for(int width) { return width <= 8 ? 1 : width <= 16 ? 2 : width <= 32 ? 4 : 8; }

template <int W, bool SIGNED>
struct integer_of {
    static_assert(W <= 64, "numbers have at most 64 bits");
    typedef typename machine<bytes_for(W), SIGNED>::type type;
};
template <int W, bool SIGNED>
using integer = typename integer_of<W, SIGNED>::type;
/// Unsigned, so that it wraps; at least 32 bits, so that products are not computed in a signed int.
template <int W>
using modular = integer<(W <= 32 ? 32 : 64), false>;

template <int W, int CLASS = (W <= 64 ? 0 : W <= 128 ? 1 : 2)>
struct word_of {
    typedef integer<W, false> type;
};
template <int W>
struct word_of<W, 1> {
    typedef unsigned __int128 type;
};
template <int W>
struct word_of<W, 2> {
    typedef limbs<(W + 63) / 64> type;
};
template <int W>
using word = typename word_of<W>::type;

template <int N>
constexpr uint64_t mask() {
    static_assert(N <= 64, "a field has at most 64 bits");
    return ~uint64_t(0) >> (64 - N);
}

template <typename R, typename A, typename B>
R multiply(const A& a, const B& b) {
    return R(a) * R(b);
}

template <int W, bool SIGNED>
integer<W, SIGNED> from_bits(const word<W>& bits) {
    if (SIGNED) return integer<W, SIGNED>(int64_t(uint64_t(bits) << (64 - W)) >> (64 - W));
    return integer<W, SIGNED>(bits);
}

template <int W, typename T>
word<W> to_bits(const T& value) {
    return word<W>(uint64_t(value) & mask<W>());
}

template <int N, typename T>
word<N> field(const T& from, int low) {
    return word<N>(uint64_t(from >> low) & mask<N>());
}

template <int N, int COUNT>
word<N> field(const limbs<COUNT>& from, int low) {
    const int limb = low / 64, bit = low % 64;
    uint64_t value = from.limb[limb] >> bit;
    if (bit + N > 64) value |= from.limb[limb + 1] << (64 - bit);
    return word<N>(value & mask<N>());
}

template <int N, typename T>
void put(T& into, int low, uint64_t value) {
    into = T((into & ~(T(mask<N>()) << low)) | (T(value) << low));
}

template <int N, int COUNT>
void put(limbs<COUNT>& into, int low, uint64_t value) {
    const int limb = low / 64, bit = low % 64;
    into.limb[limb] = (into.limb[limb] & ~(mask<N>() << bit)) | (value << bit);
    if (bit + N > 64) {
        into.limb[limb + 1] = (into.limb[limb + 1] & ~(mask<N>() >> (64 - bit))) | (value >> (64 - bit));
    }
}

template <int N, int LOW, int W>
word<N> bits_at(const word<W>& from) {
    return field<N>(from, LOW);
}

template <int N, int LOW, int W>
void put_bits(word<W>& into, const word<N>& bits) {
    put<N>(into, LOW, uint64_t(bits));
}

/// Kept apart: nothing is gained by packing machine integers.
template <int W, bool SIGNED, int N>
struct numbers {
    integer<W, SIGNED> value[N];
};

template <int W, bool SIGNED, int N>
using values_of = integer<W, SIGNED>[N];

template <int W, bool SIGNED, int N>
const values_of<W, SIGNED, N>& spread(const numbers<W, SIGNED, N>& from, values_of<W, SIGNED, N>&) {
    return from.value;
}

template <int W, bool SIGNED, int N>
numbers<W, SIGNED, N> together(const integer<W, SIGNED> (&values)[N]) {
    numbers<W, SIGNED, N> all;
    for (int i = 0; i < N; ++i) all.value[i] = values[i];
    return all;
}

template <int W, bool SIGNED, int N>
integer<W, SIGNED> number_at(const numbers<W, SIGNED, N>& from, int index) {
    return from.value[index];
}

template <int W, bool SIGNED, int N>
numbers<W, SIGNED, N> shift_in(const numbers<W, SIGNED, N>& from, const integer<W, SIGNED>& value) {
    numbers<W, SIGNED, N> moved;
    for (int i = 0; i < N - 1; ++i) moved.value[i] = from.value[i + 1];
    moved.value[N - 1] = value;
    return moved;
}

}  // namespace penni

#endif
