// SPDX-License-Identifier: Apache-2.0
/// Blocks: arrays that one process fills and the next one reads as a whole, joined by hls::stream_of_blocks.
///
/// `PENNI_BLOCKS(block, name, depth, impl)` declares `depth` of them in the top, in memory of kind `impl`: lutram, bram or
/// uram. `PENNI_PART("name", call)` is a process that is a part of an operator, `PENNI_WHOLE("name", call)` the operator
/// as one process, where there are no streams of blocks: for bambu.
#ifndef PENNI_BLOCKS_HPP
#define PENNI_BLOCKS_HPP

#include "penni_pragmas.hpp"

#ifdef __BAMBU__
#define PENNI_BLOCKS(block_, name_, depth_, impl_)
#define PENNI_PART(name_, ...)
#define PENNI_WHOLE(name_, ...) PENNI_PROCESS(name_, __VA_ARGS__)
#else
#include <hls_streamofblocks.h>
#ifdef PENNI_CSIM
#define PENNI_BLOCKS(block_, name_, depth_, impl_) hls::stream_of_blocks<block_, depth_> name_(#name_);
#else
#define PENNI_BLOCKS(block_, name_, depth_, impl_) \
    hls::stream_of_blocks<block_, depth_> name_;   \
    PENNI_PRAGMA(HLS BIND_STORAGE variable=name_ type=ram_2p impl=impl_)
#endif
#define PENNI_PART(name_, ...) PENNI_PROCESS(name_, __VA_ARGS__)
#define PENNI_WHOLE(name_, ...)
#endif

#endif
