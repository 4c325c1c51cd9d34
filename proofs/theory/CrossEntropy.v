(** Cross-entropy and label smoothing with balanced classes, every bias mode:
    the minimisers are simplex ETFs (Zhu et al. 2021; Zhou et al. 2022).

    L(Z) = (1/N) sum_i (lse z_i - <t_i, z_i>),  t_i = (1 - s) e_{y_i} + (s/K) 1.
    s = 0 is cross-entropy.  With x = (1 - s - c)_+ the target probability is
    p = (1 + (K-1) x)/K and the margin a = log ((1 + (K-1) x)/(1 - x)). *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced.
From UFM Require Import MseModes Exponential Softmax.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section CrossEntropy.
Variables (R : rcfType) (E : exponential R) (K N n d : nat) (lab : 'I_N -> 'I_K).
Variables (lw lh s : R).
Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh) (s0 : 0 <= s) (s1 : s <= 1).
Local Notation e := (ex E).
Local Notation ln := (ln E).
Local Notation Y := (onehot R lab).
Local Notation c := (reg_c K n lw lh).
Local Notation t := (dual_scale n lw lh).
Local Notation rho := (mean_scale n lw lh).
Local Notation Hbar := (class_means lab n).
Local Notation mix := (mix K).
Local Notation ETF := (simplex_etf_collapse n lab lw lh).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K).

(** Smoothed one-hot targets. *)
Definition smoothed_targets : 'M[R]_(K, N) := mix (1 - s) 1 *m Y.
Lemma smoothed_targetsE k i :
  smoothed_targets k i = (1 - s) * (lab i == k)%:R + s / K%:R.
Proof.
rewrite mulmx_onehot /Labels.mix !mxE ctrE avgE eq_sym; ring.
Qed.

Definition smoothed_ce : 'M[R]_(K, N) -> R := softmax_loss E (fun=> 1) smoothed_targets.
Local Notation f m := (ufm smoothed_ce lw lh m).

Definition ce_slack : R := pos (1 - s - c).
Definition ce_margin : R := ln ((1 + (K%:R - 1) * ce_slack) / (1 - ce_slack)).
(** Entropy of (p, q, ..., q), p the target probability, q the others. *)
Definition ce_value : R :=
  let p := (1 + (K%:R - 1) * ce_slack) / K%:R in
  let q := (1 - ce_slack) / K%:R in
  - p * ln p - (K%:R - 1) * q * ln q.
Local Notation x := ce_slack.
Local Notation a := ce_margin.

Let kappa : R := cap c (1 - s).
Let KR : 0 < K%:R :> R. Proof. by rewrite ltr0n. Qed.
Let nR : 0 < n%:R :> R. Proof. by rewrite ltr0n. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let nN : n%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let NE : N%:R = K%:R * n%:R :> R := balanced_sizeR R bal.
Let N0 : (0 < N)%N. Proof. by rewrite (balanced_size bal) muln_gt0 K0. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let c0 : 0 < c. Proof. exact: reg_c_gt0. Qed.
Let K1 : 0 <= K%:R - 1 :> R. Proof. by rewrite subr_ge0 ler1n. Qed.

Let xE : x = 1 - s - kappa.
Proof.
rewrite /x /kappa /cap; case: ltP => h; first by rewrite pos_id // subr_ge0 ltW.
by rewrite subrr pos_0 // subr_le0.
Qed.
Let x0 : 0 <= x. Proof. exact: pos_ge0. Qed.
Let x1 : x < 1.
Proof.
rewrite /x /ce_slack /pos; case: (leP (1 - s - c) 0) => _; first exact: ltr01.
by rewrite -addrA -opprD ltr_subl_addr ltr_addl ltr_paddl.
Qed.
Let q0 : 0 < 1 - x. Proof. by rewrite subr_gt0. Qed.
Let qN : 1 - x != 0. Proof. by rewrite gt_eqF. Qed.
Let p0 : 0 < 1 + (K%:R - 1) * x.
Proof. by rewrite ltr_paddr ?ltr01 // mulr_ge0. Qed.
Let k_ok : 0 <= kappa <= c.
Proof. by rewrite /kappa cap_le cap_ge0 ?subr_ge0 // ltW. Qed.
Let z_ok : (0 : R) <= (0 : R) <= c. Proof. by rewrite lexx ltW. Qed.
Let ea : e a = (1 + (K%:R - 1) * x) / (1 - x).
Proof. by rewrite lnK // divr_gt0. Qed.
Lemma ce_margin_ge0 : 0 <= a.
Proof.
apply: ln_ge0; rewrite ler_pdivl_mulr // mul1r -subr_ge0.
have -> : 1 + (K%:R - 1) * x - (1 - x) = K%:R * x by ring.
by rewrite mulr_ge0 // ltW.
Qed.
Lemma ce_margin_eq0 : x = 0 -> a = 0.
Proof. by move=> x00; rewrite /a /ce_margin x00 mulr0 addr0 subr0 divr1 ln1. Qed.
Let slack : a = 0 \/ kappa = c.
Proof.
rewrite /kappa /cap; case: ltP => h; [by right|left].
by apply: ce_margin_eq0; rewrite /x /ce_slack pos_0 // subr_le0.
Qed.

Let Zs : 'M[R]_(K, N) := mix a 0 *m Y.
Let G := dual_matrix lab kappa 0.

(** Column i of Zs is a e_{y_i} up to a constant. *)
Let ZsE i k : Zs k i = a * (lab i == k)%:R + - (a / K%:R).
Proof. by rewrite mulmx_onehot /Labels.mix !mxE ctrE avgE eq_sym; ring. Qed.
Let sum_hot i : sum_exp E (fun k => a * (lab i == k)%:R) = K%:R / (1 - x).
Proof.
rewrite /sum_exp (bigD1 (lab i)) //= eqxx mulr1 (eq_bigr (fun=> 1)) => [|k]; last first.
  by rewrite eq_sym => /negbTE ->; rewrite mulr0 ex0.
rewrite sumr_const cardC1 card_ord ea -subn1 natrB //.
by field.
Qed.
Let softE k i : softmax_col E Zs k i = (mix x 1 *m Y) k i.
Proof.
rewrite mulmx_onehot /Labels.mix !mxE ctrE avgE [k == _]eq_sym /softmax_col.
have -> : softmax E (fun k => Zs k i) k
    = softmax E (fun k => a * (lab i == k)%:R + - (a / K%:R)) k.
  by rewrite /softmax ZsE; congr (_ / _); apply: sum_exp_ext => l; rewrite ZsE.
rewrite softmax_shift /softmax sum_hot; case: (lab i == k); rewrite /= ?mulr1n ?mulr0n ?mulr1 ?mulr0.
  by rewrite ea; field; rewrite qN KN.
by rewrite ex0; field; rewrite qN KN.
Qed.
Let lseE i : lse_col E Zs i = ln (K%:R / (1 - x)) - a / K%:R.
Proof.
have -> : lse_col E Zs i = lse E (fun k => a * (lab i == k)%:R + - (a / K%:R)).
  by rewrite /lse_col /lse; congr ln; apply: sum_exp_ext => k; rewrite ZsE.
by rewrite (lse_shift E _ _ (lab i)) /lse sum_hot.
Qed.
Let G_grad : G = softmax_grad E (fun=> 1) smoothed_targets Zs.
Proof.
rewrite /G /dual_matrix /softmax_grad scaleNr -scalerN; congr (_ *: _).
apply/matrixP => k i; rewrite [RHS]mxE [LHS]mxE mul1r softE /smoothed_targets.
by rewrite !mulmx_onehot /Labels.mix !mxE ctrE avgE xE; ring.
Qed.

Lemma ce_certificate m : (forall lb, m = RegularizedBias lb -> 0 < lb) ->
  certificate smoothed_ce lw lh m Zs 0 G.
Proof.
move=> mpos; split.
- by rewrite G_grad; apply: softmax_subgradient => // i; exact: ltr01.
- exact: (dual_matrix_op K0 n0 bal lw0 lh0 k_ok z_ok).
have G1 : G *m (ones N)^T = 0 by rewrite (dual_matrix_ones K0 n0 bal) mul0r oppr0 scale0r.
case: m mpos => [||lb] // mpos; split; last by rewrite G1 scaler0.
exact: mpos.
Qed.

Lemma ce_dual_value m : dual_value smoothed_ce m Zs 0 G = ce_value.
Proof.
have q u v u' v' : frob (mix u v *m Y) (mix u' v' *m Y)
    = n%:R * (u * u' * (K%:R - 1) + v * v').
  rewrite frob_mull -mulmxA (balanced_gram R bal) mul_mx_scalar frobZr.
  by rewrite frob_def mix_tr mixM // tr_mix.
rewrite /dual_value sqF0 mulr0 subr0 /smoothed_ce /softmax_loss /smoothed_targets q.
under eq_bigr do rewrite mul1r lseE.
rewrite sumr_const card_ord -[X in X - n%:R * _]mulr_natl /G /dual_matrix frobZl q /ce_value.
have aE : a = ln (1 + (K%:R - 1) * x) - ln (1 - x).
  by rewrite /a /ce_margin lnM ?invr_gt0 // lnV.
rewrite !lnM ?invr_gt0 // !lnV // aE.
have kE : kappa = 1 - s - x by rewrite xE opprB addrC subrK.
rewrite kE NE.
by field; rewrite nN KN.
Qed.

(** b is a constant vector: (I - J/K) b = 0. *)
Definition ce_bias (m : bias_mode R) b : Prop := if m is FreeBias then ctr K *m b = 0 else b = 0.

Section Mode.
Variable m : bias_mode R.
Hypothesis mpos : forall lb, m = RegularizedBias lb -> 0 < lb.
Let cert := ce_certificate mpos.

(** The value is a lower bound at every d, for every bias mode. *)
Theorem ce_lower W H b : bias_allowed m b -> ce_value <= f m W H b.
Proof. by move=> ok; rewrite -(ce_dual_value m); exact: (collapse_lower lw0 lh0 cert W H ok). Qed.

(** It is attained exactly at simplex ETFs; c + s >= 1 gives W = 0, H = 0. *)
Theorem ce_simplex_etf_iff W H b : bias_allowed m b ->
  f m W H b = ce_value <-> ETF (rho * a) W H /\ ce_bias m b.
Proof.
move=> ok; rewrite -(ce_dual_value m) (collapse_iff lw0 lh0 cert W H ok).
rewrite -etf_collapseE.
have yb : (0 : R) = 0 \/ (0 : R) = c by left.
rewrite -(common_zeros_iff K0 n0 bal lw0 lh0 slack yb k_ok z_ok).
have PZs : ctr K *m Zs = Zs.
  by rewrite /Zs mix_ctr -scalemxAl -scalemxAr mulmxA ctrM.
have PG : ctr K *m G = G.
  by rewrite /G /dual_matrix mix_ctr -!scalemxAl -!scalemxAr mulmxA ctrM.
split=> [cz|[[e1 e2 e3] eb]]; last first.
  split=> //.
    rewrite G_grad; apply/softmax_bregman_eq0 => //; first by move=> ?; exact: ltr01.
    rewrite PZs /logits e1 mulmxDr -/Zs PZs mulmxA.
    suff -> : ctr K *m b = 0 by rewrite mul0mx addr0.
    by move: eb; rewrite /ce_bias; case: (m) => [->|//|? ->]; rewrite mulmx0.
  rewrite subr0; move: eb; rewrite /ce_bias; case: (m) => [->|_|? ->] /=; by rewrite ?scaler0 ?scale0r.
case: (cz) => e1 e2 e3 _.
have fit : W *m H + ctr K *m b *m ones N = Zs.
  have PW : ctr K *m W = W by rewrite e2 -scalemxAr mulmxA PG.
  move: e1; rewrite G_grad => /(softmax_bregman_eq0 E _ K0 N0 (fun=> ltr01)).
  by rewrite PZs /logits mulmxDr !mulmxA PW.
have eb : ce_bias m b.
  case: (bias_determined lw0 lh0 cert ok cz) => [->|[mf H1]].
    by rewrite /ce_bias; case: (m) => //; rewrite mulmx0.
  rewrite /ce_bias mf; have := congr1 (mulmx^~ (ones N)^T) fit.
  rewrite mulmxDl -!mulmxA H1 onesK mulmx0 add0r /Zs mix_ctr -scalemxAl.
  rewrite (balanced_ones R bal) -scalemxAr ctr_ones // !scaler0.
  by rewrite !mul_mx_scalar -scalemxAr => /eqP; rewrite scaler_eq0 (negbTE NN) => /eqP.
split=> //; split=> //; rewrite -/Zs -fit.
suff -> : ctr K *m b = 0 by rewrite mul0mx addr0.
by move: eb; rewrite /ce_bias; case: (m) => [->|//|? ->]; rewrite mulmx0.
Qed.

(** Attained for d >= K - 1, for any d when c + s >= 1. *)
Theorem ce_simplex_etf_attained : (K.-1 <= d)%N \/ 1 <= c + s ->
  exists W H, f m W H 0 = ce_value.
Proof.
move=> dim; have rk : (\rank (mix a 0 : 'M[R]_K) <= d)%N.
  have [->|aN] := eqVneq a 0; first by rewrite mix_ctr scale0r mxrank0.
  case: dim => [|cs]; first by rewrite rank_mix_ctr.
  move: aN; rewrite ce_margin_eq0 ?eqxx // /x /ce_slack pos_0 //.
  by rewrite -addrA -opprD subr_le0 addrC.
have [W [H nc]] := collapse_exists K0 n0 bal lw0 lh0 ce_margin_ge0 (lexx 0) rk.
have ok : bias_allowed m (0 : 'cV[R]_K) by case: (m).
exists W, H; apply/(ce_simplex_etf_iff W H ok); rewrite -etf_collapseE; split=> //.
by rewrite /ce_bias; case: (m) => //; rewrite mulmx0.
Qed.

Theorem ce_simplex_etf_minimisers W H b : (K.-1 <= d)%N \/ 1 <= c + s ->
  global_min smoothed_ce lw lh m W H b <->
  [/\ bias_allowed m b, ETF (rho * a) W H & ce_bias m b].
Proof.
move=> /ce_simplex_etf_attained [W1 [H1 e1]].
have ok0 : bias_allowed m (0 : 'cV[R]_K) by case: (m).
split=> [[ok mn]|[ok nc eb]].
  have : f m W H b = ce_value.
    by apply/eqP; rewrite eq_le ce_lower // andbT -e1; exact: mn.
  by move/(ce_simplex_etf_iff W H ok) => [].
split=> // W' H' b' ok'; rewrite (ce_simplex_etf_iff W H ok).2 //.
exact: ce_lower.
Qed.

(** d >= K - 1 is needed. *)
Theorem ce_simplex_etf_needs_dim W H b : (1 < K)%N -> c + s < 1 -> (d < K.-1)%N ->
  bias_allowed m b -> ce_value < f m W H b.
Proof.
move=> K2 cs dK ok; rewrite lt_neqAle ce_lower // andbT eq_sym; apply/eqP.
move=> /(ce_simplex_etf_iff W H ok)[/etf_collapseE nc _].
have xp : 0 < x.
  by rewrite /x /ce_slack pos_id -addrA -opprD ?subr_ge0 ?subr_gt0 addrC // ltW.
have ap : 0 < a.
  rewrite -(ln1 E); apply: ln_lt; first exact: ltr01.
  rewrite ltr_pdivl_mulr // mul1r -subr_gt0.
  have -> : 1 + (K%:R - 1) * x - (1 - x) = K%:R * x by ring.
  by rewrite mulr_gt0.
by have := etf_dim K0 n0 lw0 lh0 ap nc; rewrite leqNgt dK.
Qed.

(** c + s >= 1: the minimum is log K, at W = 0, H = 0. *)
Theorem ce_zero W H b : 1 <= c + s -> bias_allowed m b ->
  f m W H b = ln K%:R <-> [/\ W = 0, H = 0 & ce_bias m b].
Proof.
move=> cs ok; have xz : x = 0.
  by rewrite /x /ce_slack pos_0 // -addrA -opprD subr_le0 addrC.
have <- : ce_value = ln K%:R.
  rewrite /ce_value xz mulr0 addr0 subr0 !mul1r lnV //.
  rewrite mulNr !mulrN !opprK -mulrDl -{1}[K%:R^-1]mul1r -mulrDl addrC subrK.
  by rewrite mulfV // mul1r.
rewrite (ce_simplex_etf_iff W H ok) ce_margin_eq0 // -etf_collapseE collapse_zero //.
by split=> [[[]]|[]].
Qed.
End Mode.
End CrossEntropy.
