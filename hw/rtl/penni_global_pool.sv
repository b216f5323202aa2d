/// y[c] = sum over all PIXELS of x[p, c], exact.
///
/// Beats: x as pixels, channels within a pixel; y as channels. One beat per cycle; a sum leaves 2 cycles after its last
/// value. Three stages: read the channel's sum, add, write it back. Outputs are registered; in_ready_o depends
/// on out_ready_i.
module penni_global_pool #(
    parameter int unsigned PIXELS = 4,
    parameter int unsigned C = 4,
    parameter int unsigned XW = 8,
    parameter bit X_SIGNED = 1'b0,
    parameter int unsigned YW = 10,
    parameter bit BLOCK = 1'b0
) (
    input  logic          clk_i,
    input  logic          rst_ni,
    input  logic          in_valid_i,
    output logic          in_ready_o,
    input  logic [XW-1:0] in_data_i,
    output logic          out_valid_o,
    input  logic          out_ready_i,
    output logic [YW-1:0] out_data_o
);
  localparam int unsigned CW = (C > 1) ? $clog2(C) : 1;
  localparam int unsigned PW = $clog2(PIXELS + 1);

  logic          en, take;
  logic [CW-1:0] channel_q, channel_s1_q;
  logic [PW-1:0] pixel_q;
  logic          last_channel, first_pixel, last_pixel;
  logic          valid_s1_q, first_s1_q, last_s1_q;
  logic [XW-1:0] x_s1_q;
  logic [YW-1:0] earlier, sum;

  assign en           = !out_valid_o || out_ready_i;
  assign in_ready_o   = en;
  assign take         = in_valid_i && en;
  assign last_channel = channel_q == CW'(C - 1);
  assign first_pixel  = pixel_q == '0;
  assign last_pixel   = pixel_q == PW'(PIXELS - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      channel_q   <= '0;
      pixel_q     <= '0;
      valid_s1_q  <= 1'b0;
      out_valid_o <= 1'b0;
    end else if (en) begin
      if (take) begin
        channel_q <= last_channel ? '0 : channel_q + 1'b1;
        if (last_channel) pixel_q <= last_pixel ? '0 : pixel_q + 1'b1;
      end
      valid_s1_q  <= take;
      out_valid_o <= valid_s1_q && last_s1_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (en) begin
      x_s1_q       <= in_data_i;
      channel_s1_q <= channel_q;
      first_s1_q   <= first_pixel;
      last_s1_q    <= last_pixel;
      out_data_o   <= sum;
    end
  end

  assign sum = (first_s1_q ? '0 : earlier) + YW'($signed({X_SIGNED && x_s1_q[XW-1], x_s1_q}));

  // A sum is written from the output's register, two cycles after it was read: fewer channels have registers instead.
  if (C <= 2) begin : gen_registers
    penni_delay #(
        .WIDTH(YW), .CYCLES(C)
    ) u_sums (
        .clk_i, .en_i(en && valid_s1_q), .in_i(sum), .out_o(earlier)
    );
    logic unused;
    assign unused = ^channel_s1_q;
  end else begin : gen_ram
    logic          valid_s2_q;
    logic [CW-1:0] channel_s2_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) valid_s2_q <= 1'b0;
      else if (en) valid_s2_q <= valid_s1_q;
    end
    always_ff @(posedge clk_i) if (en) channel_s2_q <= channel_s1_q;
    penni_ram #(
        .WIDTH(YW), .DEPTH(C), .AW(CW), .STYLE(32'(BLOCK))
    ) u_sums (
        .clk_i, .we_i(en && valid_s2_q), .waddr_i(channel_s2_q), .wdata_i(out_data_o),
        .re_i(en), .raddr_i(channel_q), .rdata_o(earlier)
    );
  end
endmodule
