// SPDX-License-Identifier: Apache-2.0
/// sparse_mac: y[o,p] = sat((acc[o,p]*M[o] + skip*SKIP_K + bias'[o]) >> SHIFT), acc[o,p] = sum_a A[o,a] * z[a,p].
///
/// Three processes of the top, for one group of Q pixels after the other, BLOCK of them in a block: sparse_mac_load,
/// sparse_mac_walk and sparse_mac_drain, each in a file of its own. Streams of blocks join them: of two blocks, where
/// Z_HALVES or SUM_HALVES say so, or of one, for which both take turns. A loop over a block runs empty at its end, so
/// blocks hold several groups where a program is short; those that the last block lacks take their steps, but nothing
/// comes in or leaves. A compiler without streams of blocks calls sparse_mac, below, which does the same in one process.
#ifndef PENNI_SPARSE_MAC_HPP
#define PENNI_SPARSE_MAC_HPP

#include <hls_stream.h>

#include "penni_pragmas.hpp"
#include "penni_sparse_drain.hpp"
#include "penni_sparse_load.hpp"
#include "penni_sparse_types.hpp"
#include "penni_sparse_walk.hpp"
#include "penni_types.hpp"

namespace penni {

/// All three in turn, as one process.
template <typename C>
void sparse_mac(hls::stream<word<sparse_mac_types<C>::BEAT> >& in, hls::stream<word<C::YW> >& out) {
    typedef sparse_mac_types<C> types;
    typename types::z_block z;
    typename types::sums_block sums;
    typename types::beats_left beats = types::BEATS;
    typename types::values_left values = types::VALUES;
Blocks:
    for (int block = 0; block < types::BLOCKS; ++block) {
        sparse_mac_filler<C>::fill(beats, in, z);
        sparse_mac_walk_block<C>(z, sums);
        sparse_mac_drain_block<C>(values, sums, out);
    }
}

template <typename C>
void sparse_mac(hls::stream<word<sparse_mac_types<C>::BEAT> >& in, hls::stream<word<C::YW> >& out,
                hls::stream<word<C::SKIPW> >& skip) {
    typedef sparse_mac_types<C> types;
    typename types::z_block z;
    typename types::sums_block sums;
    typename types::beats_left beats = types::BEATS;
    typename types::values_left values = types::VALUES;
Blocks:
    for (int block = 0; block < types::BLOCKS; ++block) {
        sparse_mac_filler<C>::fill(beats, in, z);
        sparse_mac_walk_block<C>(z, sums);
        sparse_mac_drain_block<C>(values, sums, out, skip);
    }
}

}  // namespace penni

#endif
