# The accelerator as an IP for block designs of your own: a folder with component.xml. 'penni-hls build DIR --ip' runs it; by hand:
#
#   vivado -mode batch -source package.tcl
#
# Arguments, each key=value: from, netlist (as of build.tcl), clock (MHz), work, ip (the folder to write; ./ip by default).
# In Vivado add that folder to the IP repositories. Written for Vivado 2022.2 and later.

source [file join [file dirname [info script]] settings.tcl]
source [file join [file dirname [info script]] common.tcl]

penni_arguments [list from rtl netlist "" clock $penni(clock_mhz) work [file join $penni(here) build_ip] \
  ip [file join $penni(here) ip]]

penni_step {packaged IP}
penni_result vivado [version -short]
create_project -force penni_ip [file normalize $penni(work)] -part $penni(part)
lassign [penni_sources] sources data
add_files -norecurse $sources
if {[llength $data] > 0} {
  add_files -norecurse $data
  set_property file_type {Memory Initialization Files} [get_files $data]
}
set_property top penni_accelerator [current_fileset]
update_compile_order -fileset sources_1

file delete -force $penni(ip)
ipx::package_project -root_dir [file normalize $penni(ip)] -vendor penni -library hw -taxonomy /UserIP -import_files -force
set core [ipx::current_core]
set_property name penni_accelerator $core
set_property version 1.0 $core
set_property display_name "PENNI accelerator: $penni(name)" $core
set_property description "Pixels in, results out (AXI4-Stream), registers (AXI4-Lite)" $core
# Any clock, any family: the registers hold the rate of the project (parameter CLOCK_HZ).
set_property ipi_drc {ignore_freq_hz true} $core
set_property auto_family_support_level level_1 $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
if {![file exists [file join $penni(ip) component.xml]]} { penni_fail "Vivado left no component.xml in $penni(ip)" }
puts "Done: [file join $penni(ip) component.xml]"
