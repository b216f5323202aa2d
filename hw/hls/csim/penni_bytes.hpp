// SPDX-License-Identifier: Apache-2.0
/// Stream words as bytes: their format in the files of the test bench and in traces.
#ifndef PENNI_BYTES_HPP
#define PENNI_BYTES_HPP

#include <ap_int.h>
#include <stdint.h>
#include <string.h>

namespace penni_csim {

/// Bytes that a word of `width` bits takes in a file: 1, 2, 4, 8, 16, then multiples of 8; little-endian.
constexpr int bytes_of(int width) {
    return width <= 8 ? 1 : width <= 16 ? 2 : width <= 32 ? 4 : width <= 64 ? 8 : width <= 128 ? 16 : (width + 63) / 64 * 8;
}

/// The general form is for machine types, which have this layout in memory already.
template <typename T, typename = void>
struct codec {
    static const int BYTES = sizeof(T);
    static void store(const T& word, uint8_t* bytes) { memcpy(bytes, &word, sizeof(T)); }
    static void load(const uint8_t* bytes, T& word) { memcpy(&word, bytes, sizeof(T)); }
    static bool well_formed(const T&, bool) { return true; }
};

template <int W>
struct codec<ap_uint<W>, void> {
    static const int BYTES = bytes_of(W);
    static void store(const ap_uint<W>& word, uint8_t* bytes) {
        const ap_uint<BYTES * 8> padded = word;
        for (int i = 0; i < BYTES; ++i) bytes[i] = uint8_t(padded.range(8 * i + 7, 8 * i).to_uint());
    }
    static void load(const uint8_t* bytes, ap_uint<W>& word) {
        ap_uint<BYTES * 8> padded = 0;
        for (int i = 0; i < BYTES; ++i) padded.range(8 * i + 7, 8 * i) = bytes[i];
        word = padded;
    }
    static bool well_formed(const ap_uint<W>&, bool) { return true; }
};

/// An AXI4-Stream beat: its 32 bits of data are stored, its side signals are checked.
template <typename T>
struct codec<T, decltype(void(T().keep))> {
    static const int BYTES = 4;
    static void store(const T& beat, uint8_t* bytes) { codec<ap_uint<32> >::store(ap_uint<32>(beat.data), bytes); }
    static bool well_formed(const T& beat, bool last) {
        return (beat.last == 1) == last && beat.keep == 15 && beat.strb == 15;
    }
};

}  // namespace penni_csim

#endif
