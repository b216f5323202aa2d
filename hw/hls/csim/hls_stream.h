// SPDX-License-Identifier: Apache-2.0
/// hls::stream for C simulation with g++: as deep as declared in bounded frames, of any depth in the others.
///
/// Unbounded, the functions of a dataflow region run one after the other. Bounded, each is a coroutine: reading an
/// empty stream or writing a full one yields to the others; where none can continue, that is a deadlock, and the run
/// ends with the names of the streams. With a trace folder set (penni_csim::trace_to) every word written is also
/// appended to the file <folder>/<name>.bin.
#ifndef PENNI_CSIM_HLS_STREAM_H
#define PENNI_CSIM_HLS_STREAM_H

#include <stddef.h>

#include <vector>

#include "penni_csim.hpp"

namespace hls {

template <typename T, int DEPTH = 0>
class stream {
public:
    stream() : queue_("unnamed", 0) {}
    explicit stream(const char* name, int depth = DEPTH) : queue_(name, depth) {}
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;
    ~stream() { queue_.close(size()); }

    bool empty() const { return head_ == words_.size(); }
    bool full() const { return penni_csim::bounded && queue_.depth() != 0 && size() >= queue_.depth(); }
    size_t size() const { return words_.size() - head_; }

    void write(const T& word) {
        if (penni_csim::bounded) {
            while (full()) penni_csim::wait(queue_, true);
            penni_csim::moved();
            queue_.count(size() + 1);
        }
        words_.push_back(word);
        if (queue_.trace()) penni_csim::record(queue_.trace(), word);
    }

    T read() {
        if (penni_csim::bounded) {
            while (empty()) penni_csim::wait(queue_, false);
            penni_csim::moved();
        } else if (empty()) {
            penni_csim::underflow(queue_);
        }
        const T word = words_[head_++];
        if (head_ == words_.size()) {
            words_.clear();
            head_ = 0;
        } else if (head_ >= 4096 && 2 * head_ >= words_.size()) {
            words_.erase(words_.begin(), words_.begin() + head_);
            head_ = 0;
        }
        return word;
    }

    /// A process that has asked `empty` or `full` can do nothing else: let the others go on.
    void await_word() {
        if (!penni_csim::bounded) penni_csim::underflow(queue_);
        penni_csim::wait(queue_, false);
    }
    void await_room() { penni_csim::wait(queue_, true); }

    void read(T& word) { word = read(); }
    stream& operator<<(const T& word) {
        write(word);
        return *this;
    }
    stream& operator>>(T& word) {
        word = read();
        return *this;
    }

private:
    penni_csim::queue queue_;
    std::vector<T> words_;
    size_t head_ = 0;
};

}  // namespace hls

#endif
