// SPDX-License-Identifier: Apache-2.0
/// Stands in for bambu's hls_stream.h, where hls::stream is another name of ac_channel: no name, no depth, no copies.
#pragma once

template <typename T>
class ac_channel {
public:
    ac_channel();
    ac_channel(const ac_channel&) = delete;
    ac_channel& operator=(const ac_channel&) = delete;
    T read();
    void read(T& value);
    void write(const T& value);
};

namespace hls {
template <typename T>
using stream = ac_channel<T>;
}
