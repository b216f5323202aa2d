// SPDX-License-Identifier: Apache-2.0
/// Streams and processes in the C simulation: statistics, traces, coroutines. Used by hls_stream.h.
#ifndef PENNI_CSIM_HPP
#define PENNI_CSIM_HPP

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <functional>
#include <string>

#include "penni_bytes.hpp"

namespace penni_csim {

/// Exit statuses of the test bench.
enum status { OK = 0, MISMATCH = 1, USAGE = 2, DEADLOCK = 3, STREAM_MISUSE = 4 };

/// Kept for each stream name, over all bounded frames.
struct statistics {
    size_t depth = 0;  ///< words it can hold; 0: any number
    size_t most = 0;   ///< most words it has held at once
    FILE* trace = nullptr;
};

/// The part of a stream that does not depend on the type of its words.
class queue {
public:
    queue(const char* name, int depth);
    /// The end of the stream: words still in it are an error.
    void close(size_t left) const;
    size_t depth() const { return depth_; }
    const char* name() const { return name_; }
    FILE* trace() const { return statistics_->trace; }
    void count(size_t size) {
        if (size > statistics_->most) statistics_->most = size;
    }

private:
    const char* name_;
    size_t depth_;
    statistics* statistics_;
};

/// Record every word of every stream created from now on, one file per stream in `folder`.
void trace_to(const std::string& folder);
/// Print {"name": {"depth": …, "most": …}, …}.
void print_statistics(FILE* file);
/// End the run: a read from an empty stream while no other function can fill it.
[[noreturn]] void underflow(const queue& stream);

/// Streams are as deep as declared, and each process is a coroutine.
extern bool bounded;

/// Processes of the next `join` run their function this many times.
void set_frames(size_t frames);
void spawn(const char* name, std::function<void()> function);
/// Run all processes to their end; in a deadlock, end the run.
void join();
/// A function of a dataflow region: now, or bounded, at the join.
template <typename F>
void call(const char* name, F function) {
    if (bounded) {
        spawn(name, function);
    } else {
        function();
    }
}
/// Called in a process: yield to the others, because `stream` is full or empty.
void wait(const queue& stream, bool full);
/// Called in a process: a word has moved.
void moved();

/// Append a word to a trace.
template <typename T>
void record(FILE* file, const T& word) {
    uint8_t bytes[codec<T>::BYTES];
    codec<T>::store(word, bytes);
    fwrite(bytes, 1, codec<T>::BYTES, file);
}

}  // namespace penni_csim

#endif
