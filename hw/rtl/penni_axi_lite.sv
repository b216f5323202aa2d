/// AXI4-Lite slave in front of registers of 32 bits: one access at a time each way, all answered with OKAY.
///
/// Write: write_o is high for a cycle, with waddr_o and wdata_o, where the strobes take the lowest byte: all that the
/// accelerator's registers hold lies there. Read: read_o is high in the first cycle with raddr_o; data_i is taken two cycles
/// later. Every output is a register: no path goes through from a signal of the bus to another.
module penni_axi_lite #(
    parameter int unsigned AW = 12
) (
    input  logic          clk_i,
    input  logic          rst_ni,
    input  logic          awvalid_i,
    output logic          awready_o,
    input  logic [AW-1:0] awaddr_i,
    input  logic          wvalid_i,
    output logic          wready_o,
    input  logic [31:0]   wdata_i,
    input  logic [3:0]    wstrb_i,
    output logic          bvalid_o,
    input  logic          bready_i,
    input  logic          arvalid_i,
    output logic          arready_o,
    input  logic [AW-1:0] araddr_i,
    output logic          rvalid_o,
    input  logic          rready_i,
    output logic [31:0]   rdata_o,
    output logic          write_o,
    output logic [AW-1:0] waddr_o,
    output logic [7:0]    wdata_o,
    output logic          read_o,
    output logic [AW-1:0] raddr_o,
    input  logic [31:0]   data_i
);
  // Address and data of a write are taken together, once both are there and the answer before has gone.
  logic accept_q, bvalid_q;
  assign awready_o = accept_q;
  assign wready_o  = accept_q;
  assign bvalid_o  = bvalid_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      accept_q <= 1'b0;
      bvalid_q <= 1'b0;
      write_o  <= 1'b0;
    end else begin
      accept_q <= awvalid_i && wvalid_i && !accept_q && !bvalid_q;
      bvalid_q <= accept_q || (bvalid_q && !bready_i);
      write_o  <= accept_q && wstrb_i[0];
    end
  end
  always_ff @(posedge clk_i) begin
    if (accept_q) begin
      waddr_o <= awaddr_i;
      wdata_o <= wdata_i[7:0];
    end
  end

  // A read goes through one stage after the other: 0 accepted, 1 read, 2 value chosen, 3 value in data_i; then the answer.
  logic [3:0] stage_q;
  logic       rvalid_q;
  assign arready_o = stage_q[0];
  assign read_o    = stage_q[1];
  assign rvalid_o  = rvalid_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      stage_q  <= '0;
      rvalid_q <= 1'b0;
    end else begin
      stage_q  <= {stage_q[2:0], arvalid_i && stage_q == '0 && !rvalid_q};
      rvalid_q <= stage_q[3] || (rvalid_q && !rready_i);
    end
  end
  always_ff @(posedge clk_i) begin
    if (stage_q[0]) raddr_o <= araddr_i;
    if (stage_q[3]) rdata_o <= data_i;
  end

  logic unused;
  assign unused = ^{wdata_i[31:8], wstrb_i[3:1]};
endmodule
