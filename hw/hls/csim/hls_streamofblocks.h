// SPDX-License-Identifier: Apache-2.0
/// hls::stream_of_blocks for C simulation with g++: in bounded frames of as many blocks as declared, in the others of any
/// number. A block belongs to its writer or reader while that holds a lock.
#ifndef PENNI_CSIM_HLS_STREAMOFBLOCKS_H
#define PENNI_CSIM_HLS_STREAMOFBLOCKS_H

#include <stddef.h>

#include <deque>
#include <memory>
#include <vector>

#include "penni_csim.hpp"

namespace hls {

template <typename T>
class read_lock;
template <typename T>
class write_lock;

template <typename T, int DEPTH = 2>
class stream_of_blocks;

/// Functions take this one, whatever the depth.
template <typename T>
class stream_of_blocks<T, 2> {
public:
    explicit stream_of_blocks(const char* name = "unnamed", int depth = 2) : queue_(name, depth) {}
    stream_of_blocks(const stream_of_blocks&) = delete;
    stream_of_blocks& operator=(const stream_of_blocks&) = delete;
    ~stream_of_blocks() { queue_.close(filled_.size()); }

private:
    friend class read_lock<T>;
    friend class write_lock<T>;

    struct block {
        T data;
    };

    T& write_acquire() {
        if (penni_csim::bounded) {
            while (used_ >= queue_.depth()) penni_csim::wait(queue_, true);
            penni_csim::moved();
            queue_.count(used_ + 1);
        }
        ++used_;
        if (free_.empty()) free_.emplace_back(new block);
        writing_ = std::move(free_.back());
        free_.pop_back();
        return writing_->data;
    }
    void write_release() {
        penni_csim::moved();
        filled_.push_back(std::move(writing_));
    }
    T& read_acquire() {
        if (penni_csim::bounded) {
            while (filled_.empty()) penni_csim::wait(queue_, false);
        } else if (filled_.empty()) {
            penni_csim::underflow(queue_);
        }
        reading_ = std::move(filled_.front());
        filled_.pop_front();
        return reading_->data;
    }
    void read_release() {
        penni_csim::moved();
        --used_;
        free_.push_back(std::move(reading_));
    }

    penni_csim::queue queue_;
    size_t used_ = 0;
    std::unique_ptr<block> writing_, reading_;
    std::deque<std::unique_ptr<block> > filled_;
    std::vector<std::unique_ptr<block> > free_;
};

template <typename T, int DEPTH>
class stream_of_blocks : public stream_of_blocks<T, 2> {
public:
    explicit stream_of_blocks(const char* name = "unnamed") : stream_of_blocks<T, 2>(name, DEPTH) {}
};

template <typename T>
class write_lock {
public:
    explicit write_lock(stream_of_blocks<T>& stream) : stream_(stream), data_(stream.write_acquire()) {}
    write_lock(const write_lock&) = delete;
    write_lock& operator=(const write_lock&) = delete;
    ~write_lock() { stream_.write_release(); }
    operator T&() { return data_; }

private:
    stream_of_blocks<T>& stream_;
    T& data_;
};

template <typename T>
class read_lock {
public:
    explicit read_lock(stream_of_blocks<T>& stream) : stream_(stream), data_(stream.read_acquire()) {}
    read_lock(const read_lock&) = delete;
    read_lock& operator=(const read_lock&) = delete;
    ~read_lock() { stream_.read_release(); }
    operator T&() { return data_; }

private:
    stream_of_blocks<T>& stream_;
    T& data_;
};

}  // namespace hls

#endif
