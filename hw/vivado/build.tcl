# The whole system for a board: block design, synthesis, implementation, bitstream. 'penni-hls build DIR' runs it; by hand:
#
#   vivado -mode batch -source build.tcl                       the accelerator from ../rtl
#   vivado -mode batch -source build.tcl -tclargs from=hls     the Verilog that Vitis HLS made of ../hls
#
# Arguments, each key=value: from, netlist (the folder of that Verilog), clock (MHz), ila (1: a logic analyser on the streams),
# synth and strategy (Vivado's names of strategies, or default; of strategy several, separated by commas: the next is tried
# where timing is not met), jobs, work (the folder for Vivado's files), deploy (1: copy what a board needs to ../driver).
#
# Leaves in work/out: penni.bit, penni.hwh, penni.xsa, reports. Written for Vivado 2022.2 and later.

source [file join [file dirname [info script]] settings.tcl]
source [file join [file dirname [info script]] common.tcl]
source [file join $penni(here) system.tcl]

penni_arguments [list from rtl netlist "" clock $penni(clock_mhz) ila 0 synth default strategy default jobs 4 deploy 1 \
  work [file join $penni(here) build]]
if {$penni(processor) eq "none"} {
  penni_fail "a bare part ($penni(part)) has no processor to build a system around; package.tcl makes an IP of the accelerator"
}
set work [file normalize $penni(work)]
set out  [file join $work out]
file mkdir $out

penni_step project
penni_result vivado [version -short]
create_project -force penni [file join $work project] -part $penni(part)
penni_strict
lassign [penni_sources] sources data
add_files -norecurse $sources
if {[llength $data] > 0} {
  add_files -norecurse $data
  set_property file_type {Memory Initialization Files} [get_files $data]
}
update_compile_order -fileset sources_1

penni_step {block design}
penni_block_design

penni_step synthesis
if {$penni(synth) ne "default"} { set_property strategy $penni(synth) [get_runs synth_1] }
launch_runs synth_1 -jobs $penni(jobs)
penni_finish synth_1 synthesis
open_run synth_1
report_utilization -file [file join $out utilization_synth.rpt]
close_design

# ---- implementation: each strategy until one meets timing; what is kept is the best ------------------------------------
set kept ""
foreach strategy [split $penni(strategy) ,] {
  penni_step "implementation $strategy"
  if {$kept ne ""} { reset_run impl_1 }
  if {$strategy ne "default"} { set_property strategy $strategy [get_runs impl_1] }
  set_property STEPS.PHYS_OPT_DESIGN.IS_ENABLED true [get_runs impl_1]
  set_property STEPS.POST_ROUTE_PHYS_OPT_DESIGN.IS_ENABLED true [get_runs impl_1]
  launch_runs impl_1 -to_step write_bitstream -jobs $penni(jobs)
  penni_finish impl_1 implementation
  set worst [expr {min([get_property STATS.WNS [get_runs impl_1]], [get_property STATS.WHS [get_runs impl_1]])}]
  if {$kept eq "" || $worst > $kept} {
    penni_step reports
    set kept $worst
    open_run impl_1
    report_utilization -file [file join $out utilization.rpt]
    report_utilization -hierarchical -file [file join $out hierarchy.rpt]
    report_timing_summary -delay_type min_max -max_paths 10 -file [file join $out timing.rpt]
    report_power -file [file join $out power.rpt]
    set run [get_property DIRECTORY [get_runs impl_1]]
    file copy -force [file join $run design_1_wrapper.bit] [file join $out penni.bit]
    if {[file exists [file join $run design_1_wrapper.ltx]]} {
      file copy -force [file join $run design_1_wrapper.ltx] [file join $out penni.ltx]
    }
    write_hw_platform -fixed -include_bit -force -file [file join $out penni.xsa]
    close_design
    penni_result strategy $strategy
  }
  if {$kept >= 0} { break }
}
set handoff [concat \
  [glob -nocomplain [file join $work project penni.gen sources_1 bd design_1 hw_handoff design_1.hwh]] \
  [glob -nocomplain [file join $work project penni.srcs sources_1 bd design_1 hw_handoff design_1.hwh]]]
if {$handoff eq ""} { penni_fail "Vivado left no design_1.hwh below $work" }
file copy -force [lindex $handoff 0] [file join $out penni.hwh]

penni_result worst_slack $kept
if {$kept < 0} { penni_fail "timing is not met at $penni(act_mhz) MHz: the worst slack is $kept ns (see [file join $out timing.rpt])" }
if {$penni(deploy)} {
  foreach file {penni.bit penni.hwh} {
    file copy -force [file join $out $file] [file join $penni(here) .. driver $file]
  }
}
puts "Done: $out/penni.bit; the worst slack is $kept ns at $penni(act_mhz) MHz"
