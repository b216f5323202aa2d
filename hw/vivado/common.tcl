# What the scripts of this folder share. Each sources settings.tcl (what differs from project to project) and this file.
#
# Lines that begin with "penni:" are for whoever follows the log: steps, results, the reason of a failure.

set penni(here) [file normalize [file dirname [info script]]]
set penni(rtl)  [file normalize [file join $penni(here) .. rtl]]

# Arguments key=value, over the defaults in `defaults` (a list of keys and values) -> penni(key).
proc penni_arguments {defaults} {
  global penni argv
  array set penni $defaults
  foreach argument $argv {
    if {![regexp {^(\w+)=(.*)$} $argument all key value] || ![dict exists $defaults $key]} {
      penni_fail "argument '$argument' is not known; there are [join [dict keys $defaults] {, }], each as key=value"
    }
    set penni($key) $value
  }
}

proc penni_step {name} { puts "penni: step $name" }

proc penni_result {key value} { puts "penni: result $key $value" }

proc penni_fail {reason} {
  puts "penni: error $reason"
  puts stderr "ERROR: $reason"
  exit 1
}

# A run that is to end now; fails with its log's place where it did not.
proc penni_finish {run what} {
  catch {wait_on_run $run}
  if {[get_property PROGRESS [get_runs $run]] ne "100%"} {
    puts "penni: log [file join [get_property DIRECTORY [get_runs $run]] runme.log]"
    penni_fail "$what failed: [get_property STATUS [get_runs $run]]"
  }
}

# The sources of the accelerator: all of rtl/, or its shell with the Verilog that an HLS compiler made.
proc penni_sources {} {
  global penni
  set data {}
  if {$penni(from) eq "rtl"} {
    set sources [concat [lsort [glob -directory $penni(rtl) *.sv]] [lsort [glob -directory $penni(rtl) *.v]]]
    set data [lsort [glob -nocomplain -directory [file join $penni(rtl) mem] *.mem]]
  } else {
    set netlist [penni_netlist]
    set list [open [file join $penni(rtl) shell.f]]
    set sources {}
    foreach name [split [string trim [read $list]] "\n"] { lappend sources [file join $penni(rtl) $name] }
    close $list
    set sources [concat $sources [lsort [glob -directory $penni(rtl) *.v]] [lsort [glob -directory $netlist *.v]]]
    set data [lsort [glob -nocomplain -directory $netlist *.dat *.mem]]
  }
  return [list $sources $data]
}

# The folder with penni_top.v that Vitis HLS (or bambu) wrote.
proc penni_netlist {} {
  global penni
  set places [list $penni(netlist)]
  if {$penni(netlist) eq ""} {
    set places [lsort [glob -nocomplain -directory [file join $penni(here) .. hls] build/*/syn/verilog */*/syn/verilog]]
  }
  foreach place $places {
    if {[file exists [file join $place penni_top.v]]} { return [file normalize $place] }
  }
  penni_fail "there is no Verilog of the C++ (penni_top.v) in [expr {$places eq "" ? "hls/" : [join $places {, }]}]: run\
    'penni-hls build DIR --from hls', or the script of hls/ in Vitis HLS first"
}

# A ROM whose image is not found would be empty, with no more than a critical warning.
proc penni_strict {} { set_msg_config -id {Synth 8-4445} -new_severity {ERROR} }
