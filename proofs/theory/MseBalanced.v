(** The three theorems on balanced MSE, each with its value, its minimisers and the
    smallest dimension, in both regimes and at the boundary c = 1. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced Mse MseModes.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Theorems.
Variables (R : rcfType) (K N n d : nat) (lab : 'I_N -> 'I_K) (lw lh : R).
Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh).
Local Notation Y := (onehot R lab).
Local Notation c := (reg_c K n lw lh).
Local Notation t := (dual_scale n lw lh).
Local Notation rho := (mean_scale n lw lh).
Local Notation Hbar := (class_means lab n).
Local Notation f m := (ufm (mse Y) lw lh m).
Local Notation OF := (orthogonal_frame_collapse n lab lw lh).
Local Notation ETF := (simplex_etf_collapse n lab lw lh).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K).

Let KR : 0 < K%:R :> R. Proof. by rewrite ltr0n. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let c0 : 0 < c. Proof. exact: reg_c_gt0. Qed.
Let c_ge0 : 0 <= c. Proof. exact: ltW. Qed.
Let a_ok : 0 <= cap c 1 <= c. Proof. by rewrite cap_le cap_ge0 ?ler01. Qed.
Let z_ok : (0 : R) <= (0 : R) <= c. Proof. by rewrite lexx. Qed.
Let rhoN : rho != 0. Proof. by rewrite gt_eqF // mean_scale_gt0. Qed.

(** ** No bias: orthogonal frames *)
Section NoBias.
Let yE : pos (1 - c) = 1 - cap c 1 - K%:R * 0 :> R. Proof. by rewrite mulr0 subr0 pos_cap1. Qed.
Let bs0 : (0 : R) *: (ones K)^T = 0 :> 'cV_K. Proof. exact: scale0r. Qed.
Let balance : bias_balanced (@NoBias R) (dual_matrix lab (cap c 1) (cap c 1)) (0 *: (ones K)^T).
Proof. exact: bs0. Qed.
Let allowed : bias_allowed (@NoBias R) (0 *: (ones K)^T : 'cV_K). Proof. exact: bs0. Qed.
Let free : @NoBias R = FreeBias -> pos (1 - c) = 0. Proof. by []. Qed.
Let val : dual_value (mse Y) NoBias (mix K (pos (1 - c)) (pos (1 - c)) *m Y + 0 *: (ones K)^T *m ones N)
    (0 *: (ones K)^T) (dual_matrix lab (cap c 1) (cap c 1)) = phi c.
Proof. by rewrite (mse_dual_value K0 n0 bal _ (pos_cap1 c) yE) phi_cap /=; field. Qed.
Let rank_frame : (K <= d)%N \/ 1 <= c -> (\rank (mix K (pos (1 - c)) (pos (1 - c)) : 'M[R]_K) <= d)%N.
Proof.
case=> [|c1]; first exact: leq_trans (rank_mix _ _ _).
by rewrite pos_0 ?subr_le0 // mix_ctr scale0r mxrank0.
Qed.

(** phi(c) is a lower bound at every dimension d. *)
Theorem mse_orthogonal_frame_lower W H : phi c <= f NoBias W H 0.
Proof.
rewrite -val; apply: (mse_lower K0 n0 bal lw0 lh0 a_ok a_ok (pos_cap1 c) yE) => //.
Qed.

(** It is attained exactly at orthogonal frames. *)
Theorem mse_orthogonal_frame_iff W H :
  f NoBias W H 0 = phi c <-> OF (rho * pos (1 - c)) W H.
Proof.
rewrite -val -frame_collapseE.
rewrite (mse_collapse_iff K0 n0 bal lw0 lh0 a_ok a_ok (slack1 c) (slack1 c) (pos_cap1 c) yE balance free) //.
by rewrite bs0; split=> [[]|].
Qed.

(** Orthogonal frames exist for d >= K (for c >= 1 the minimiser is zero, any d). *)
Theorem mse_orthogonal_frame_attained : (K <= d)%N \/ 1 <= c ->
  exists W H, f NoBias W H 0 = phi c.
Proof.
move=> /rank_frame rk.
have [W [H nc]] := collapse_exists K0 n0 bal lw0 lh0 (pos_ge0 (1 - c)) (pos_ge0 (1 - c)) rk.
by exists W, H; apply/mse_orthogonal_frame_iff/frame_collapseE.
Qed.

(** Global minimisers are exactly the orthogonal frames. *)
Theorem mse_orthogonal_frame_minimisers W H b : (K <= d)%N \/ 1 <= c ->
  global_min (mse Y) lw lh NoBias W H b <-> b = 0 /\ OF (rho * pos (1 - c)) W H.
Proof.
move=> /rank_frame rk; rewrite -frame_collapseE.
rewrite (mse_global_min K0 n0 bal lw0 lh0 a_ok a_ok (pos_ge0 _) (pos_ge0 _)
  (slack1 c) (slack1 c) (pos_cap1 c) yE balance free allowed W H b rk) //.
by rewrite bs0; split=> [[]|[]].
Qed.

(** d >= K is needed: below it the value is approached by no point. *)
Theorem mse_orthogonal_frame_needs_dim W H : c < 1 -> (d < K)%N -> phi c < f NoBias W H 0.
Proof.
move=> c1 dK; rewrite lt_neqAle mse_orthogonal_frame_lower andbT eq_sym; apply/eqP.
move=> /mse_orthogonal_frame_iff/frame_collapseE nc.
have p0 : 0 < pos (1 - c) by rewrite pos_id ?subr_gt0 // subr_ge0 ltW.
by have := frame_dim K0 n0 lw0 lh0 p0 p0 nc; rewrite leqNgt dK.
Qed.

(** c >= 1: the minimum is 1/2, at W = 0, H = 0 only. *)
Theorem mse_orthogonal_frame_zero W H : 1 <= c ->
  f NoBias W H 0 = 1 / 2%:R <-> W = 0 /\ H = 0.
Proof.
move=> c1; have <- : phi c = 1 / 2%:R by rewrite /phi ltNge c1.
rewrite mse_orthogonal_frame_iff pos_0 ?subr_le0 // -frame_collapseE.
exact: collapse_zero.
Qed.
End NoBias.

(** ** Free bias: simplex ETFs *)
Section FreeBias.
Let yE : 0 = 1 - 0 - K%:R * K%:R^-1 :> R. Proof. by rewrite mulfV // subr0 subrr. Qed.
Let balance : bias_balanced (@FreeBias R) (dual_matrix lab (cap c 1) 0) (K%:R^-1 *: (ones K)^T).
Proof. by rewrite /= (dual_matrix_ones K0 n0 bal) mul0r oppr0 scale0r. Qed.
Let val : dual_value (mse Y) FreeBias
    (mix K (pos (1 - c)) 0 *m Y + K%:R^-1 *: (ones K)^T *m ones N)
    (K%:R^-1 *: (ones K)^T) (dual_matrix lab (cap c 1) 0) = (K%:R - 1) / K%:R * phi c.
Proof. by rewrite (mse_dual_value K0 n0 bal _ (pos_cap1 c) yE) phi_cap /=; field. Qed.
Let yb : (0 : R) = 0 \/ (0 : R) = c. Proof. by left. Qed.
Let rank_etf : (K.-1 <= d)%N \/ 1 <= c -> (\rank (mix K (pos (1 - c)) 0 : 'M[R]_K) <= d)%N.
Proof.
have [->|xN] := eqVneq (pos (1 - c)) 0; first by rewrite mix_ctr scale0r mxrank0.
case=> [|c1]; first by rewrite rank_mix_ctr.
by move: xN; rewrite pos_0 ?subr_le0 // eqxx.
Qed.

Theorem mse_simplex_etf_lower W H b : (K%:R - 1) / K%:R * phi c <= f FreeBias W H b.
Proof. by rewrite -val; apply: (mse_lower K0 n0 bal lw0 lh0 a_ok z_ok (pos_cap1 c) yE). Qed.

(** The minimum is attained exactly at simplex ETFs, with bias 1/K. *)
Theorem mse_simplex_etf_iff W H b :
  f FreeBias W H b = (K%:R - 1) / K%:R * phi c <->
  ETF (rho * pos (1 - c)) W H /\ b = K%:R^-1 *: (ones K)^T.
Proof.
rewrite -val -etf_collapseE.
exact: (mse_collapse_iff K0 n0 bal lw0 lh0 a_ok z_ok (slack1 c) yb (pos_cap1 c) yE balance).
Qed.

(** Simplex ETFs exist for d >= K - 1. *)
Theorem mse_simplex_etf_attained : (K.-1 <= d)%N \/ 1 <= c ->
  exists W H, f FreeBias W H (K%:R^-1 *: (ones K)^T) = (K%:R - 1) / K%:R * phi c.
Proof.
move=> /rank_etf rk.
have [W [H nc]] := collapse_exists K0 n0 bal lw0 lh0 (pos_ge0 (1 - c)) (lexx 0) rk.
by exists W, H; apply/mse_simplex_etf_iff; rewrite -etf_collapseE.
Qed.

Theorem mse_simplex_etf_minimisers W H b : (K.-1 <= d)%N \/ 1 <= c ->
  global_min (mse Y) lw lh FreeBias W H b <->
  ETF (rho * pos (1 - c)) W H /\ b = K%:R^-1 *: (ones K)^T.
Proof.
move=> /rank_etf rk; rewrite -etf_collapseE.
exact: (mse_global_min K0 n0 bal lw0 lh0 a_ok z_ok (pos_ge0 _) (lexx 0)
  (slack1 c) yb (pos_cap1 c) yE balance).
Qed.

(** At a minimiser the features have global mean zero. *)
Theorem mse_simplex_etf_centred W H b :
  f FreeBias W H b = (K%:R - 1) / K%:R * phi c -> H *m (ones N)^T = 0.
Proof.
by case/mse_simplex_etf_iff => /etf_collapseE /(etf_global_mean K0 bal).
Qed.

(** d >= K - 1 is needed. *)
Theorem mse_simplex_etf_needs_dim W H b : c < 1 -> (d < K.-1)%N ->
  (K%:R - 1) / K%:R * phi c < f FreeBias W H b.
Proof.
move=> c1 dK; rewrite lt_neqAle mse_simplex_etf_lower andbT eq_sym; apply/eqP.
move=> /mse_simplex_etf_iff[/etf_collapseE nc _].
have p0 : 0 < pos (1 - c) by rewrite pos_id ?subr_gt0 // subr_ge0 ltW.
by have := etf_dim K0 n0 lw0 lh0 p0 nc; rewrite leqNgt dK.
Qed.

(** c >= 1: the minimum is (K-1)/(2K), at W = 0, H = 0, b = 1/K only. *)
Theorem mse_simplex_etf_zero W H b : 1 <= c ->
  f FreeBias W H b = (K%:R - 1) / (2%:R * K%:R) <->
  [/\ W = 0, H = 0 & b = K%:R^-1 *: (ones K)^T].
Proof.
move=> c1; have <- : (K%:R - 1) / K%:R * phi c = (K%:R - 1) / (2%:R * K%:R).
  by rewrite /phi ltNge c1 /=; field.
rewrite mse_simplex_etf_iff pos_0 ?subr_le0 // -etf_collapseE collapse_zero //.
by split=> [[[]]|[]].
Qed.
End FreeBias.

(** ** Regularised bias: the transition
    g = lb/(1 + lb); the Gram matrix is rho ((1-c)_+ P + (1-c/g)_+ J/K). *)
Section RegularizedBias.
Variable lb : R.
Hypothesis lb0 : 0 < lb.
Definition bias_g : R := lb / (1 + lb).
Definition bias_level : R := (1 - pos (1 - c / bias_g)) / (K%:R * (1 + lb)).
Local Notation g := bias_g.
Local Notation bs := (bias_level *: (ones K)^T : 'cV[R]_K).
Local Notation m := (RegularizedBias lb).

Definition mse_transition_value : R :=
  (K%:R - 1) / K%:R * phi c
  + K%:R^-1 * (if c < g then c - c ^+ 2 / (2%:R * g) else g / 2%:R).

Let lb1 : 0 < 1 + lb. Proof. by rewrite addr_gt0 ?ltr01. Qed.
Let lbN : lb != 0. Proof. by rewrite gt_eqF. Qed.
Let lb1N : 1 + lb != 0. Proof. by rewrite gt_eqF. Qed.
Let g0 : 0 < g. Proof. exact: divr_gt0. Qed.
Let gN : g != 0. Proof. by rewrite gt_eqF. Qed.
Let b_ok : 0 <= cap c g <= c. Proof. by rewrite cap_le cap_ge0 // ltW. Qed.
Let levelE : bias_level = cap c g / (K%:R * lb).
Proof.
rewrite /bias_level -cap_pos // /g; field.
by rewrite lbN lb1N KN.
Qed.
Let yE : pos (1 - c / g) = 1 - cap c g - K%:R * bias_level.
Proof. by rewrite -cap_pos // levelE /g; field; rewrite lbN lb1N KN. Qed.
Let balance : bias_balanced m (dual_matrix lab (cap c 1) (cap c g)) bs.
Proof.
split=> //; rewrite (dual_matrix_ones K0 n0 bal) scalerA levelE; congr (_ *: _).
by field; rewrite lbN KN.
Qed.
Let free : m = FreeBias -> pos (1 - c / g) = 0. Proof. by []. Qed.
Let val : dual_value (mse Y) m (mix K (pos (1 - c)) (pos (1 - c / g)) *m Y + bs *m ones N)
    bs (dual_matrix lab (cap c 1) (cap c g)) = mse_transition_value.
Proof.
rewrite (mse_dual_value K0 n0 bal _ (pos_cap1 c) yE) /mse_transition_value phi_cap levelE.
have -> : (if c < g then c - c ^+ 2 / (2%:R * g) else g / 2%:R)
    = cap c g - cap c g ^+ 2 / (2%:R * g).
  by rewrite /cap; case: ltP => // _; field.
by rewrite /= /g; field; rewrite lbN lb1N KN.
Qed.

Theorem mse_transition_lower W H b : mse_transition_value <= f m W H b.
Proof. by rewrite -val; apply: (mse_lower K0 n0 bal lw0 lh0 a_ok b_ok (pos_cap1 c) yE). Qed.

Theorem mse_transition_iff W H b :
  f m W H b = mse_transition_value <->
  neural_collapse n lab lw lh (pos (1 - c)) (pos (1 - c / g)) W H /\ b = bs.
Proof.
rewrite -val.
exact: (mse_collapse_iff K0 n0 bal lw0 lh0 a_ok b_ok (slack1 c) (cap_slack c g0) (pos_cap1 c) yE balance free).
Qed.

Let rank_trans : (K <= d)%N \/ (g <= c /\ (K.-1 <= d)%N) ->
  (\rank (mix K (pos (1 - c)) (pos (1 - c / g)) : 'M[R]_K) <= d)%N.
Proof.
case=> [|[gc]]; first exact: leq_trans (rank_mix _ _ _).
rewrite [pos (1 - c / g)]pos_0; last by rewrite subr_le0 ler_pdivl_mulr // mul1r.
have [->|xN] := eqVneq (pos (1 - c)) 0; first by rewrite mix_ctr scale0r mxrank0.
by rewrite rank_mix_ctr.
Qed.

(** d >= K suffices, and d >= K - 1 while g <= c. *)
Theorem mse_transition_attained : (K <= d)%N \/ (g <= c /\ (K.-1 <= d)%N) ->
  exists W H, f m W H bs = mse_transition_value.
Proof.
move=> /rank_trans rk.
have [W [H nc]] := collapse_exists K0 n0 bal lw0 lh0 (pos_ge0 (1 - c)) (pos_ge0 (1 - c / g)) rk.
by exists W, H; apply/mse_transition_iff.
Qed.

Theorem mse_transition_minimisers W H b : (K <= d)%N \/ (g <= c /\ (K.-1 <= d)%N) ->
  global_min (mse Y) lw lh m W H b <->
  [/\ H = Hbar H *m Y,
      (Hbar H)^T *m Hbar H
        = rho *: (pos (1 - c) *: ctr K + pos (1 - c / g) *: avg K),
      W = t *: (Hbar H)^T
    & b = bs].
Proof.
move=> /rank_trans rk.
rewrite (mse_global_min K0 n0 bal lw0 lh0 a_ok b_ok (pos_ge0 _) (pos_ge0 _)
  (slack1 c) (cap_slack c g0) (pos_cap1 c) yE balance free I W H b rk).
by split=> [[[]]|[]].
Qed.

(** While g <= c the regularised bias still gives a simplex ETF. *)
Theorem mse_transition_etf W H b : g <= c -> (K.-1 <= d)%N ->
  global_min (mse Y) lw lh m W H b <-> ETF (rho * pos (1 - c)) W H /\ b = bs.
Proof.
move=> gc Kd; rewrite mse_transition_minimisers; last by right.
rewrite [pos (1 - c / g)]pos_0; last by rewrite subr_le0 ler_pdivl_mulr // mul1r.
by rewrite scale0r addr0 scalerA; split=> [[]|[[]]].
Qed.
End RegularizedBias.
End Theorems.
