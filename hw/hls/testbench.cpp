// SPDX-License-Identifier: Apache-2.0
/// The test bench of C simulation, for any top.
///
///     testbench [--bounded FRAMES] TOP FRAMES IN_DIR [OUT_DIR [TRACE_DIR]]
///
/// In the first frames, as many as --bounded says, streams are as deep as declared: a deadlock shows (g++ only).
/// Reads IN_DIR/<port>.bin for each input port, FRAMES frames each. Where IN_DIR/<port>.expect.bin exists, the output
/// port is compared with it; with OUT_DIR it is written to OUT_DIR/<port>.bin. With TRACE_DIR the words of every stream
/// are written there too (g++ only). penni_bytes.hpp defines the format of the words. Prints one JSON object; exit
/// status 0: done and, where compared, equal; 1: a difference; 2: files or arguments; 3: deadlock; 4: a stream read or
/// left in the wrong state.
#include <stdio.h>
#include <stdlib.h>

#include <chrono>
#include <string>
#include <vector>

#include "csim/penni_bytes.hpp"
#include "penni_ports.hpp"
#ifdef PENNI_CSIM
#include "csim/penni_csim.hpp"
#endif

namespace {

struct options {
    std::string top;
    size_t frames, bounded;
    std::string in, out;
};

[[noreturn]] void fail(int status, const std::string& message) {
    fprintf(stderr, "%s\n", message.c_str());
    fflush(nullptr);
    _Exit(status);
}

bool read_file(const std::string& path, std::vector<uint8_t>& bytes) {
    FILE* file = fopen(path.c_str(), "rb");
    if (!file) return false;
    uint8_t chunk[65536];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;) bytes.insert(bytes.end(), chunk, chunk + n);
    fclose(file);
    return true;
}

/// One port's bytes, all frames. `load` fills it from a file.
struct port_data {
    std::vector<uint8_t> bytes;
    std::vector<uint8_t> expected;
};

class bench {
public:
    explicit bench(const options& given) : options_(given) {}

    template <typename Ports>
    int run() {
        Ports ports;
        reader load{*this};
        ports.inputs(load);
        const auto start = std::chrono::steady_clock::now();
        size_t done = 0;
#ifdef PENNI_CSIM
        if (options_.bounded) {
            // In one run: each process restarts by itself, as in hardware.
            done = options_.bounded < options_.frames ? options_.bounded : options_.frames;
            penni_csim::bounded = true;
            penni_csim::set_frames(done);
            step(ports, 0, done);
            penni_csim::bounded = false;
        }
#endif
        for (size_t frame = done; frame < options_.frames; ++frame) step(ports, frame, 1);
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        writer finish{*this};
        ports.outputs(finish);
        report(taken.count());
        return mismatch_.empty() ? 0 : 1;
    }

private:
    template <typename Ports>
    void step(Ports& ports, size_t frame, size_t frames) {
        feeder feed{*this, frame, frames};
        ports.inputs(feed);
        ports.call();
        collector collect{*this, frames};
        ports.outputs(collect);
    }

    struct reader {
        bench& self;
        template <typename T>
        void operator()(const char* name, hls::stream<T>&, size_t words) {
            const std::string path = self.options_.in + "/" + name + ".bin";
            std::vector<uint8_t>& bytes = self.inputs_[self.add(self.input_names_, self.inputs_, name)].bytes;
            if (!read_file(path, bytes)) fail(2, "cannot read " + path);
            const size_t wanted = words * self.options_.frames * penni_csim::codec<T>::BYTES;
            if (bytes.size() != wanted) {
                fail(2, path + ": " + std::to_string(bytes.size()) + " bytes; " + std::to_string(wanted) + " are needed");
            }
        }
    };

    struct feeder {
        bench& self;
        size_t frame, frames;
        size_t port = 0;
        template <typename T>
        void operator()(const char*, hls::stream<T>& stream, size_t words) {
            const uint8_t* at = self.inputs_[port++].bytes.data() + frame * words * penni_csim::codec<T>::BYTES;
            for (size_t i = 0; i < words * frames; ++i, at += penni_csim::codec<T>::BYTES) {
                T word;
                penni_csim::codec<T>::load(at, word);
                stream.write(word);
            }
        }
    };

    /// packet: words up to one with TLAST: those of an image, of which a frame may have several.
    struct collector {
        bench& self;
        size_t frames;
        template <typename T>
        void operator()(const char* name, hls::stream<T>& stream, size_t words, size_t packet) {
            std::vector<uint8_t>& bytes = self.outputs_[self.add(self.output_names_, self.outputs_, name)].bytes;
            uint8_t buffer[penni_csim::codec<T>::BYTES];
            for (size_t i = 0; i < words * frames; ++i) {
                if (stream.empty()) fail(4, std::string("port ") + name + ": a frame ended before its last word");
                const T word = stream.read();
                if (!penni_csim::codec<T>::well_formed(word, i % packet == packet - 1)) {
                    fail(4, std::string("port ") + name + ": TLAST, TKEEP or TSTRB is wrong at word " + std::to_string(i));
                }
                penni_csim::codec<T>::store(word, buffer);
                bytes.insert(bytes.end(), buffer, buffer + sizeof buffer);
            }
            if (!stream.empty()) fail(4, std::string("port ") + name + ": more words than a frame has");
        }
    };

    struct writer {
        bench& self;
        size_t port = 0;
        template <typename T>
        void operator()(const char* name, hls::stream<T>&, size_t words, size_t) {
            port_data& data = self.outputs_[port++];
            if (!self.options_.out.empty()) {
                const std::string path = self.options_.out + "/" + name + ".bin";
                FILE* file = fopen(path.c_str(), "wb");
                if (!file || fwrite(data.bytes.data(), 1, data.bytes.size(), file) != data.bytes.size() || fclose(file)) {
                    fail(2, "cannot write " + path);
                }
            }
            if (!read_file(self.options_.in + "/" + name + ".expect.bin", data.expected)) return;
            self.compared_ = true;
            if (data.expected.size() != data.bytes.size()) fail(2, std::string(name) + ".expect.bin has the wrong size");
            for (size_t i = 0; i < data.bytes.size() && self.mismatch_.empty(); ++i) {
                if (data.bytes[i] == data.expected[i]) continue;
                const size_t word = i / penni_csim::codec<T>::BYTES;
                self.mismatch_ = "{\"port\": \"" + std::string(name) + "\", \"frame\": " + std::to_string(word / words) +
                                 ", \"word\": " + std::to_string(word % words) + "}";
            }
        }
    };

    size_t add(std::vector<std::string>& names, std::vector<port_data>& data, const char* name) {
        for (size_t i = 0; i < names.size(); ++i) {
            if (names[i] == name) return i;
        }
        names.push_back(name);
        data.push_back(port_data());
        return names.size() - 1;
    }

    void report(double seconds) const {
        printf("{\"top\": \"%s\", \"frames\": %zu, \"seconds\": %.6f, \"compared\": %s, \"first_mismatch\": %s, \"streams\": ",
               options_.top.c_str(), options_.frames, seconds, compared_ ? "true" : "false",
               mismatch_.empty() ? "null" : mismatch_.c_str());
#ifdef PENNI_CSIM
        penni_csim::print_statistics(stdout);
#else
        printf("{}");
#endif
        printf("}\n");
    }

    options options_;
    std::vector<std::string> input_names_, output_names_;
    std::vector<port_data> inputs_, outputs_;
    bool compared_ = false;
    std::string mismatch_;
};

}  // namespace

int main(int count, char** arguments) {
    size_t bounded = 0;
    if (count > 2 && std::string(arguments[1]) == "--bounded") {
        bounded = size_t(atoll(arguments[2]));
        count -= 2;
        arguments += 2;
    }
    if (count < 4) fail(2, "usage: testbench [--bounded FRAMES] TOP FRAMES IN_DIR [OUT_DIR [TRACE_DIR]]");
    const options given{arguments[1], size_t(atoll(arguments[2])), bounded, arguments[3], count > 4 ? arguments[4] : ""};
#ifdef PENNI_CSIM
    if (count > 5) penni_csim::trace_to(arguments[5]);
#endif
#define PENNI_RUN(name_) \
    if (given.top == #name_) return bench(given).run<penni_ports::name_>();
    PENNI_TOPS(PENNI_RUN)
#undef PENNI_RUN
    fail(2, "no top is called " + given.top);
}
