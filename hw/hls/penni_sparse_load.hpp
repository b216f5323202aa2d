// SPDX-License-Identifier: Apache-2.0
/// sparse_mac, the first process: z of a block of groups into one memory per lane, one address per step.
#ifndef PENNI_SPARSE_LOAD_HPP
#define PENNI_SPARSE_LOAD_HPP

#include <hls_stream.h>

#include "penni_blocks.hpp"
#include "penni_pragmas.hpp"
#include "penni_sparse_types.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C, bool TILED = C::TILED>
struct sparse_mac_filler;

/// Tiles: each beat is a word of the z memory. The pixels that a short last group lacks are there, too.
template <typename C>
struct sparse_mac_filler<C, true> {
    typedef sparse_mac_types<C> types;
    static void fill(typename types::beats_left& left, hls::stream<word<types::BEAT> >& in, typename types::z_block& z) {
        PENNI_INLINE
    Addresses:
        for (int address = 0; address < C::BLOCK * C::DEPTH; ++address) {
            PENNI_PIPELINE(1)
            word<C::ZW> bits[C::Q];
            typename types::z_t values[C::Q];
            PENNI_PARTITION(bits, 0)
            PENNI_PARTITION(values, 0)
            word<types::BEAT> beat = 0;
            if (left != 0) {
                beat = in.read();
                left = left - 1;
            }
            unpack<C::ZW>(beat, bits);
        Values:
            for (int i = 0; i < C::Q; ++i) {
                PENNI_UNROLL
                values[i] = from_bits<C::ZW, C::Z_SIGNED>(bits[i]);
            }
        Lanes:
            for (int lane = 0; lane < C::P; ++lane) {
                PENNI_UNROLL
                z[lane][address] = together<C::ZW, C::Z_SIGNED, C::Q>(values);
            }
        }
    }
};

/// A map: a value a beat, pixel by pixel. Words are put together beside the z memory, which takes whole ones.
template <typename C>
struct sparse_mac_filler<C, false> {
    typedef sparse_mac_types<C> types;
    static void fill(typename types::beats_left& left, hls::stream<word<types::BEAT> >& in, typename types::z_block& z) {
        PENNI_INLINE
        typename types::z_word pixels[C::DEPTH];
        counter<C::DEPTH> address = 0;
        counter<C::Q> pixel = 0;
        counter<C::BLOCK * C::DEPTH> first = 0;  // the group's first word
    Values:
        for (int step = 0; step < C::BLOCK * C::Q * C::DEPTH; ++step) {
            PENNI_PIPELINE(1)
            PENNI_DISTANCE(pixels, 2)
            const int place = C::DEPTH == 1 ? 0 : int(address);  // a single word is a register: no distance
            typename types::z_t value = 0;                       // what a short last group lacks
            if (left != 0) {
                value = from_bits<C::ZW, C::Z_SIGNED>(in.read());
                left = left - 1;
            }
            const typename types::z_word all = shift_in<C::ZW, C::Z_SIGNED, C::Q>(pixels[place], value);
            pixels[place] = all;
            const bool last = address == C::DEPTH - 1, last_pixel = pixel == C::Q - 1;
            if (last_pixel) {
            Lanes:
                for (int lane = 0; lane < C::P; ++lane) {
                    PENNI_UNROLL
                    z[lane][int(first) + place] = all;
                }
            }
            address = last ? 0 : int(address) + 1;
            if (last) {
                pixel = last_pixel ? 0 : int(pixel) + 1;
                if (last_pixel) first = int(first) + C::DEPTH;
            }
        }
    }
};

#ifndef __BAMBU__
template <typename C>
void sparse_mac_load(hls::stream<word<sparse_mac_types<C>::BEAT> >& in,
                     hls::stream_of_blocks<typename sparse_mac_types<C>::z_block>& z) {
    typename sparse_mac_types<C>::beats_left left = sparse_mac_types<C>::BEATS;
Blocks:
    for (int block = 0; block < sparse_mac_types<C>::BLOCKS; ++block) {
        hls::write_lock<typename sparse_mac_types<C>::z_block> into(z);
        sparse_mac_filler<C>::fill(left, in, into);
    }
}
#endif

}  // namespace penni

#endif
