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
/// The same as a free-running pipeline, where the compiler's rules allow it (the loop of a process, no blocks, no memory
/// port; `flp` is for functions only): results in flight leave while an iteration waits for a stream. Nothing depends on
/// it but time: a FIFO that must take what others hold back has room for a stalled pipeline, too.
#define PENNI_PIPELINE_FREE(ii_) PENNI_PRAGMA(HLS PIPELINE II=ii_ style=frp)
#define PENNI_UNROLL PENNI_PRAGMA(HLS UNROLL)
#define PENNI_INLINE PENNI_PRAGMA(HLS INLINE)
/// Every index of dimension `dim_` (0: of all dimensions) gets its own memory or registers.
#define PENNI_PARTITION(name_, dim_) PENNI_PRAGMA(HLS ARRAY_PARTITION variable=name_ complete dim=dim_)
/// Simple dual-port memory, one read and one write per cycle, and what it is made of: lutram, bram, uram.
#define PENNI_BIND_RAM(name_, impl_) PENNI_PRAGMA(HLS BIND_STORAGE variable=name_ type=ram_s2p impl=impl_)
/// Read-only memory: lutram or bram.
#define PENNI_BIND_ROM(name_, impl_) PENNI_PRAGMA(HLS BIND_STORAGE variable=name_ type=rom_1p impl=impl_)
/// A product made in a DSP, or in LUTs.
#define PENNI_BIND_DSP(name_) PENNI_PRAGMA(HLS BIND_OP variable=name_ op=mul impl=dsp)
#define PENNI_BIND_FABRIC(name_) PENNI_PRAGMA(HLS BIND_OP variable=name_ op=mul impl=fabric)
/// What is read from `name_` was written `distance_` or more iterations earlier, which the addresses alone do not show.
/// Vitis HLS takes a literal number here, nothing that depends on a template parameter.
#define PENNI_DISTANCE(name_, distance_) PENNI_PRAGMA(HLS DEPENDENCE variable=name_ inter RAW distance=distance_ true)
#define PENNI_DATAFLOW PENNI_PRAGMA(HLS DATAFLOW)
/// In the top: an AXI4-Stream port, and no control ports, so that the block restarts by itself.
#define PENNI_AXIS(name_) PENNI_PRAGMA(HLS INTERFACE axis port=name_)
#define PENNI_FREE_RUNNING PENNI_PRAGMA(HLS INTERFACE ap_ctrl_none port=return)

/// A loop whose end is a condition has about so many iterations: for reports.
#define PENNI_TRIPS(count_) PENNI_PRAGMA(HLS LOOP_TRIPCOUNT min=count_ max=count_)

/// What a process keeps from one frame to the next: with PENNI_AHEAD it takes values of the next frame while it is busy
/// with this one. `PENNI_STARTED(name)` is false in the first frame and after a reset. `PENNI_THERE(in)`, `PENNI_ROOM(out)`:
/// a stream that is asked does not block. `PENNI_REST(still, in, out)` ends an iteration; `still`: nothing in it has
/// moved, which only simulation has to know. bambu's processes take frame by frame, and block.
#if defined(__BAMBU__)
#define PENNI_AHEAD false
#define PENNI_STATE
#define PENNI_STARTED(name_) bool name_ = false;
#define PENNI_THERE(in_) true
#define PENNI_ROOM(out_) true
#else
#define PENNI_AHEAD true
#define PENNI_STATE static
#define PENNI_STARTED(name_)   \
    static bool name_ = false; \
    PENNI_PRAGMA(HLS RESET variable=name_)
#define PENNI_THERE(in_) (!(in_).empty())
#define PENNI_ROOM(out_) (!(out_).full())
#endif
#ifdef PENNI_CSIM
#define PENNI_REST(still_, in_, out_)      \
    if ((still_) && (out_).full()) {       \
        (out_).await_room();               \
    } else if ((still_) && (in_).empty()) { \
        (in_).await_word();                \
    }
#else
#define PENNI_REST(still_, in_, out_)
#endif

/// `PENNI_STREAM(word, name, depth)` declares a stream; `PENNI_PROCESS("name", call)` is one function of a dataflow
/// region; `PENNI_JOIN` ends the region. In bounded frames the C simulation runs each process as a coroutine until the join.
#if defined(__BAMBU__)
#define PENNI_STREAM(word_, name_, depth_) hls::stream<word_> name_;
#define PENNI_PROCESS(name_, ...) __VA_ARGS__;
#define PENNI_JOIN
#elif defined(PENNI_CSIM)
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
