// SPDX-License-Identifier: Apache-2.0
#include "penni_csim.hpp"

#include <stdlib.h>
#include <unistd.h>
#include <ucontext.h>

#include <map>
#include <memory>
#include <vector>

namespace penni_csim {
namespace {

const size_t STACK_BYTES = 16 << 20;  // operators keep their memories on the stack; pages are allocated when touched

/// A function of a dataflow region, with its own stack.
struct process {
    std::string name;
    std::function<void()> function;
    std::unique_ptr<char[]> stack;
    ucontext_t context;
    bool finished = false;
    const queue* blocked_on = nullptr;
    bool blocked_full = false;
};

std::map<std::string, statistics> all_statistics;
std::string trace_folder;
std::vector<std::unique_ptr<process>> processes;
process* running = nullptr;
ucontext_t scheduler;
size_t frames = 1;
bool progress = false;

void run_process() {
    for (size_t frame = 0; frame < frames; ++frame) running->function();
    running->finished = true;
    swapcontext(&running->context, &scheduler);
}

[[noreturn]] void deadlock() {
    fprintf(stderr, "deadlock:");
    const char* separator = " ";
    for (const auto& each : processes) {
        if (each->finished) continue;
        fprintf(stderr, "%s%s waits, %s is %s", separator, each->name.c_str(), each->blocked_on->name(),
                each->blocked_full ? "full" : "empty");
        separator = "; ";
    }
    fprintf(stderr, "\n");
    fflush(nullptr);
    _exit(DEADLOCK);
}

}  // namespace

bool bounded = false;

queue::queue(const char* name, int depth) : name_(name), depth_(size_t(depth)), statistics_(&all_statistics[name]) {
    statistics_->depth = depth_;
    if (!trace_folder.empty() && !statistics_->trace) {
        const std::string path = trace_folder + "/" + name + ".bin";
        statistics_->trace = fopen(path.c_str(), "wb");
        if (!statistics_->trace) {
            fprintf(stderr, "cannot write %s\n", path.c_str());
            exit(USAGE);
        }
    }
}

void queue::close(size_t left) const {
    if (!left) return;
    fprintf(stderr, "stream %s: %zu words were never read\n", name_, left);
    fflush(nullptr);
    _exit(STREAM_MISUSE);
}

void trace_to(const std::string& folder) { trace_folder = folder; }

void print_statistics(FILE* file) {
    fprintf(file, "{");
    const char* separator = "";
    for (const auto& each : all_statistics) {
        fprintf(file, "%s\"%s\": {\"depth\": %zu, \"most\": %zu}", separator, each.first.c_str(), each.second.depth,
                each.second.most);
        separator = ", ";
    }
    fprintf(file, "}");
}

void underflow(const queue& stream) {
    fprintf(stderr, "stream %s: read while it is empty\n", stream.name());
    fflush(nullptr);
    _exit(STREAM_MISUSE);
}

void set_frames(size_t count) { frames = count; }

void spawn(const char* name, std::function<void()> function) {
    std::unique_ptr<process> made(new process);
    made->name = name;
    made->function = std::move(function);
    made->stack.reset(new char[STACK_BYTES]);
    getcontext(&made->context);
    made->context.uc_stack.ss_sp = made->stack.get();
    made->context.uc_stack.ss_size = STACK_BYTES;
    made->context.uc_link = nullptr;
    makecontext(&made->context, run_process, 0);
    processes.push_back(std::move(made));
}

void join() {
    // Round-robin in the order of the processes: every run is the same.
    for (bool all_finished = false; !all_finished;) {
        all_finished = true;
        progress = false;
        for (const auto& each : processes) {
            if (each->finished) continue;
            all_finished = false;
            running = each.get();
            swapcontext(&scheduler, &running->context);
            progress = progress || running->finished;
            running = nullptr;
        }
        if (!all_finished && !progress) deadlock();
    }
    processes.clear();
}

void wait(const queue& stream, bool full) {
    if (!running) {
        if (!full) underflow(stream);
        fprintf(stderr, "stream %s: written outside a process while it is full\n", stream.name());
        _exit(STREAM_MISUSE);
    }
    running->blocked_on = &stream;
    running->blocked_full = full;
    swapcontext(&running->context, &scheduler);
}

void moved() { progress = true; }

}  // namespace penni_csim
