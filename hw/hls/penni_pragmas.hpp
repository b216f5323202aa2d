// SPDX-License-Identifier: Apache-2.0
/// Scheduling directives, in one place. They expand to `#pragma HLS …` where Vitis HLS synthesizes, to nothing
/// elsewhere: g++ needs none, and bambu rejects PIPELINE on loops and crashes on UNROLL (its interface pragmas are in
/// the top).
#ifndef PENNI_PRAGMAS_HPP
#define PENNI_PRAGMAS_HPP

#if defined(__SYNTHESIS__) && !defined(__BAMBU__)
#define PENNI_PRAGMA_TEXT(text_) _Pragma(#text_)
#define PENNI_PRAGMA(text_) PENNI_PRAGMA_TEXT(text_)
#else
#define PENNI_PRAGMA(text_)
#endif

/// First in a loop body: one iteration every `ii_` cycles.
#define PENNI_PIPELINE(ii_) PENNI_PRAGMA(HLS PIPELINE II=ii_)
/// The same where an iteration may wait for a stream while earlier results are in flight: these still leave.
#define PENNI_PIPELINE_FLUSH(ii_) PENNI_PRAGMA(HLS PIPELINE II=ii_ style=flp)
#define PENNI_UNROLL PENNI_PRAGMA(HLS UNROLL)
#define PENNI_INLINE PENNI_PRAGMA(HLS INLINE)
/// Every index of dimension `dim_` (0: of all dimensions) gets its own memory or registers.
#define PENNI_PARTITION(name_, dim_) PENNI_PRAGMA(HLS ARRAY_PARTITION variable=name_ complete dim=dim_)
/// Dimension `dim_` is packed into one wide word.
#define PENNI_RESHAPE(name_, dim_) PENNI_PRAGMA(HLS ARRAY_RESHAPE variable=name_ complete dim=dim_)
/// Simple dual-port memory: one read and one write per cycle.
#define PENNI_BIND_RAM(name_) PENNI_PRAGMA(HLS BIND_STORAGE variable=name_ type=ram_s2p)
/// The same in UltraRAM.
#define PENNI_BIND_ULTRA(name_) PENNI_PRAGMA(HLS BIND_STORAGE variable=name_ type=ram_s2p impl=uram)
/// A product made in LUTs.
#define PENNI_BIND_FABRIC(name_) PENNI_PRAGMA(HLS BIND_OP variable=name_ op=mul impl=fabric)
/// What is read from `name_` was written `distance_` or more iterations earlier, which the addresses alone do not show.
/// Vitis HLS takes a literal number here, nothing that depends on a template parameter.
#define PENNI_DISTANCE(name_, distance_) PENNI_PRAGMA(HLS DEPENDENCE variable=name_ inter RAW distance=distance_ true)
#define PENNI_DATAFLOW PENNI_PRAGMA(HLS DATAFLOW)
/// In the top: an AXI4-Stream port, and no control ports, so that the block restarts by itself.
#define PENNI_AXIS(name_) PENNI_PRAGMA(HLS INTERFACE axis port=name_)
#define PENNI_FREE_RUNNING PENNI_PRAGMA(HLS INTERFACE ap_ctrl_none port=return)

/// `PENNI_STREAM(word, name, depth)` declares a stream; `PENNI_PROCESS("name", call)` is one function of a dataflow
/// region; `PENNI_JOIN` ends the region. In bounded frames the C simulation runs each process as a coroutine until the join.
#ifdef PENNI_CSIM
#define PENNI_STREAM(word_, name_, depth_) hls::stream<word_> name_(#name_, depth_);
#define PENNI_PROCESS(name_, ...) penni_csim::call(name_, [&]() { __VA_ARGS__; });
#define PENNI_JOIN penni_csim::join();
#else
#define PENNI_STREAM(word_, name_, depth_) \
    hls::stream<word_> name_(#name_);      \
    PENNI_PRAGMA(HLS STREAM variable=name_ depth=depth_)
#define PENNI_PROCESS(name_, ...) __VA_ARGS__;
#define PENNI_JOIN
#endif

#endif
