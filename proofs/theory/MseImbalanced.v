(** MSE without bias, any class sizes n_k >= 1: soft-thresholded modes and minority
    collapse (Fang et al. 2021; Dang et al. 2023).

    With mu = sqrt(lw lh) and s_k = sqrt n_k the minimum is
    sum_k [(s_k - x_k)^2 / (2N) + mu x_k], x_k = (s_k - N mu)_+, and class k dies
    exactly when n_k <= N^2 lw lh. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced Mse MseModes.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** Diagonal matrices *)
Section Diagonal.
Variables (R : rcfType) (K : nat).
Definition dg (v : 'I_K -> R) : 'M[R]_K := diag_mx (\row_k v k).

Lemma dgE v i j : dg v i j = v i *+ (i == j).
Proof. by rewrite !mxE. Qed.
Lemma dg_tr v : (dg v)^T = dg v.
Proof. by apply/matrixP => i j; rewrite mxE !dgE eq_sym; case: eqP => // ->. Qed.
Lemma mul_dg m v (A : 'M[R]_(m, K)) i k : (A *m dg v) i k = A i k * v k.
Proof. by rewrite mul_mx_diag !mxE. Qed.
Lemma dg_mul m v (A : 'M[R]_(K, m)) k i : (dg v *m A) k i = v k * A k i.
Proof. by rewrite mul_diag_mx !mxE. Qed.
Lemma dgM v v' : dg v *m dg v' = dg (fun k => v k * v' k).
Proof. by apply/matrixP => i j; rewrite mul_dg !dgE mulrnAl; case: eqP => [->|]. Qed.
Lemma dgZ a v : a *: dg v = dg (fun k => a * v k).
Proof. by apply/matrixP => i j; rewrite mxE !dgE mulrnAr. Qed.
Lemma dgB v v' : dg v - dg v' = dg (fun k => v k - v' k).
Proof. by apply/matrixP => i j; rewrite mxE [(- dg v') i j]mxE !dgE mulrnBl. Qed.
Lemma dg_scalar a : a%:M = dg (fun=> a).
Proof. by apply/matrixP => i j; rewrite dgE mxE. Qed.
Lemma dg_ext v v' : v =1 v' -> dg v = dg v'.
Proof. by move=> h; apply/matrixP => i j; rewrite !dgE h. Qed.
Lemma dg_psd v : (forall k, 0 <= v k) -> psd (dg v).
Proof.
move=> v0 x; rewrite frobE; apply: sumr_ge0 => i _; apply: sumr_ge0 => j _.
by rewrite mul_dg mulrAC mulr_ge0 // -expr2 sqr_ge0.
Qed.
(** The rank of a diagonal matrix is at most the number of non-zero entries. *)
Lemma rank_dg v : (\rank (dg v) <= #|[pred k | v k != 0%R]|)%N.
Proof.
pose p := #|[pred k | v k != 0%R]|.
pose U : 'M[R]_(p, K) := \matrix_(j < p) (delta_mx 0 (enum_val j) : 'rV_K).
apply: leq_trans (rank_leq_row U); apply: mxrankS; apply/row_subP => i.
have rE : row i (dg v) = v i *: (delta_mx 0 i : 'rV_K).
  by apply/rowP => j; rewrite !mxE eqxx /= eq_sym mulr_natr.
rewrite rE; have [->|vN] := eqVneq (v i) 0; first by rewrite scale0r sub0mx.
apply: scalemx_sub; have iP : i \in [pred k | v k != 0] by [].
have -> : (delta_mx 0 i : 'rV[R]_K) = row (enum_rank_in iP i) U.
  by rewrite rowK enum_rankK_in.
exact: row_sub.
Qed.
End Diagonal.

Section MinorityCollapse.
Variables (R : rcfType) (K N d : nat) (lab : 'I_N -> 'I_K) (lw lh : R).
Hypotheses (K0 : (0 < K)%N) (lw0 : 0 < lw) (lh0 : 0 < lh).
(** every class occurs *)
Hypothesis present : forall k, (0 < class_size lab k)%N.
Local Notation Y := (onehot R lab).
Local Notation f := (fun W H => ufm (mse Y) lw lh NoBias W H 0).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)).

Definition count k : R := (class_size lab k)%:R.
(** s_k = sqrt n_k *)
Definition mode k : R := Num.sqrt (count k).
(** mu = sqrt (lw lh) *)
Definition mu : R := Num.sqrt (lw * lh).
Local Notation s := mode.
Local Notation T := (N%:R * mu).
(** x_k / s_k: what is left of mode k *)
Definition kept k : R := pos (1 - T / s k).
Let m k : R := cap (T / s k) 1.

Definition minority_value : R :=
  \sum_k ((s k - pos (s k - T)) ^+ 2 / (2%:R * N%:R) + mu * pos (s k - T)).

(** Class means for any class sizes. *)
Definition means H : 'M[R]_(d, K) :=
  locked (H *m Y^T *m dg (fun k => (count k)^-1)).
Lemma means_def H : means H = H *m Y^T *m dg (fun k => (count k)^-1).
Proof. by rewrite /means -lock. Qed.

(** Collapse: features equal class means; the means are orthogonal, of squared norm
    sqrt(lw / (lh n_k)) kept_k; W is aligned with scale sqrt(n_k lh / lw). *)
Definition imbalanced_collapse W H : Prop :=
  [/\ H = means H *m Y,
      (means H)^T *m means H = dg (fun k => Num.sqrt (lw / (lh * count k)) * kept k)
    & W = dg (fun k => Num.sqrt (count k * lh / lw)) *m (means H)^T].

Let N0 : (0 < N)%N.
Proof.
case: (posnP N) => // Nz; have := present (Ordinal K0); rewrite /class_size.
by move=> /card_gt0P[[i iN]]; exfalso; move: iN; rewrite Nz.
Qed.
Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let n0 k : 0 < count k. Proof. by rewrite ltr0n. Qed.
Let nN k : count k != 0. Proof. by rewrite gt_eqF. Qed.
Let s0 k : 0 < s k. Proof. by rewrite sqrtr_gt0. Qed.
Let sN k : s k != 0. Proof. by rewrite gt_eqF. Qed.
Let ss k : s k ^+ 2 = count k. Proof. by rewrite sqr_sqrtr // ltW. Qed.
Let mu0 : 0 < mu. Proof. by rewrite sqrtr_gt0 mulr_gt0. Qed.
Let muN : mu != 0. Proof. by rewrite gt_eqF. Qed.
Let mumu : mu ^+ 2 = lw * lh. Proof. by rewrite sqr_sqrtr // mulr_ge0 // ltW. Qed.
Let lwN : lw != 0. Proof. by rewrite gt_eqF. Qed.
Let T0 : 0 < T. Proof. exact: mulr_gt0. Qed.
Let keptE k : kept k = 1 - m k. Proof. exact: pos_cap1. Qed.
Let kept0 k : 0 <= kept k. Proof. exact: pos_ge0. Qed.
Let slackk k : kept k = 0 \/ m k = T / s k. Proof. exact: slack1. Qed.
Let ms k : m k * s k <= T. Proof. by rewrite -ler_pdivl_mulr // cap_le. Qed.
Let m0 k : 0 <= m k. Proof. by apply: cap_ge0; rewrite ?ler01 // ltW ?divr_gt0. Qed.
Let dualE k : Num.sqrt (count k * lh / lw) = s k * (mu / lw).
Proof.
apply: sqrt_unique; first by rewrite mulr_ge0 ?divr_ge0 // ltW.
by rewrite exprMn expr_div_n ss mumu; field.
Qed.
Let meanE k : Num.sqrt (lw / (lh * count k)) = lw / (mu * s k).
Proof.
have lhN : lh != 0 by rewrite gt_eqF.
apply: sqrt_unique; first by rewrite divr_ge0 ?mulr_ge0 // ltW.
by rewrite expr_div_n exprMn ss mumu; field; rewrite lwN lhN nN.
Qed.
Let YY : Y *m Y^T = dg count.
Proof. by rewrite onehot_gram; congr diag_mx; apply/rowP => k; rewrite !mxE. Qed.
Let HYt H : H *m Y^T = means H *m dg count.
Proof.
rewrite means_def -mulmxA dgM (dg_ext (v' := fun=> 1)) => [|k]; last by rewrite mulVf.
by rewrite -dg_scalar mulmx1.
Qed.
Let means_Y (M : 'M[R]_(d, K)) : means (M *m Y) = M.
Proof.
rewrite means_def -(mulmxA M) YY -mulmxA dgM (dg_ext (v' := fun=> 1)) => [|k].
  by rewrite -dg_scalar mulmx1.
by rewrite mulfV.
Qed.
Let Y_inj (A B : 'M[R]_K) : A *m Y = B *m Y -> A = B.
Proof.
move=> e; have := congr1 (fun X => X *m Y^T *m dg (fun k => (count k)^-1)) e => /=.
rewrite -!(mulmxA _ Y) YY -!mulmxA dgM (dg_ext (v' := fun=> 1)) => [|k].
  by rewrite -dg_scalar !mulmx1.
by rewrite mulfV.
Qed.

Let Zs : 'M[R]_(K, N) := dg kept *m Y.
Let G : 'M[R]_(K, N) := - N%:R^-1 *: (dg m *m Y).
Let G_grad : G = mse_grad Y Zs.
Proof.
rewrite /G /mse_grad /Zs -{3}[Y]mul1mx -mulmxBl (dg_scalar _ 1) dgB scaleNr -scalerN -mulNmx.
congr (_ *: (_ *m _)); apply/matrixP => i j; rewrite mxE !dgE keptE.
by rewrite -mulNrn; congr (_ *+ _); ring.
Qed.
Let G_op : op_sq_le G (lw * lh).
Proof.
have m1 : 0 <= lw * lh by rewrite mulr_ge0 // ltW.
rewrite -[G]trmxK; apply: (op_sq_le_tr m1); rewrite /op_sq_le trmxK.
have -> : G *m G^T = dg (fun k => (m k * s k / N%:R) ^+ 2).
  rewrite /G trmxZ trmx_mul dg_tr -scalemxAl -scalemxAr scalerA -mulmxA [Y *m _]mulmxA YY.
  by rewrite !dgM dgZ; apply: dg_ext => k; rewrite -ss; field.
rewrite dg_scalar dgB; apply: dg_psd => k; rewrite subr_ge0 -mumu.
have le : m k * s k / N%:R <= mu by rewrite ler_pdivr_mulr // [mu * _]mulrC ms.
have ge : 0 <= m k * s k / N%:R by rewrite divr_ge0 ?mulr_ge0 // ltW.
by rewrite ler_pexpn2r // nnegrE // ltW.
Qed.
Lemma minority_certificate : certificate (mse Y) lw lh NoBias Zs 0 G.
Proof. by split=> //; rewrite G_grad; exact: mse_subgradient. Qed.
Let cert := minority_certificate.

Lemma minority_dual_value : dual_value (mse Y) NoBias Zs 0 G = minority_value.
Proof.
have q u v : frob (dg u *m Y) (dg v *m Y) = \sum_k u k * v k * count k.
  rewrite frob_mull -mulmxA YY frob_def trmx_mul !dg_tr !dgM.
  by apply: eq_bigr => k _; rewrite dgE eqxx /=; ring.
have res : Zs - Y = - (dg m *m Y).
  have := G_grad; rewrite /G /mse_grad scaleNr -scalerN => /scalerI.
  by move=> /(_ (invr_neq0 NN)).
rewrite /dual_value sqF0 mulr0 subr0 /mse res sqFN /sqF q /G frobZl q.
rewrite mulNr opprK !mulr_sumr -big_split; apply: eq_bigr => k _ /=.
have soft : pos (s k - T) = s k * kept k.
  rewrite /kept; have e : s k - T = s k * (1 - T / s k) by field.
  case: (leP T (s k)) => h.
    have h1 : T / s k <= 1 by rewrite ler_pdivr_mulr // mul1r.
    by rewrite [pos (s k - T)]pos_id ?subr_ge0 // [pos (1 - _)]pos_id ?subr_ge0.
  have h1 : 1 <= T / s k by rewrite ler_pdivl_mulr // mul1r ltW.
  by rewrite [pos (s k - T)]pos_0 ?subr_le0 ?ltW // [pos (1 - _)]pos_0 ?subr_le0 ?mulr0.
rewrite soft -ss; case: (slackk k) => h.
  have -> : m k = 1 by rewrite -[m k](subKr 1) -keptE h subr0.
  by rewrite h; field.
have hm : m k * s k = N%:R * mu by rewrite h mulfVK.
have -> : mu * (s k * kept k) = (m k * s k) * (s k * kept k) / N%:R by rewrite hm; field.
by rewrite keptE; field.
Qed.

(** The common zeros. *)
Lemma minority_common_zeros W H :
  [/\ W *m H = Zs, W = - lw^-1 *: (G *m H^T) & (lw * lh) *: H = H *m G^T *m G]
  <-> imbalanced_collapse W H.
Proof.
have lN : lw * lh != 0 by rewrite mulf_neq0 ?gt_eqF.
pose q k := m k * s k / T.
have q0 k : 0 <= q k by rewrite divr_ge0 ?mulr_ge0 // ltW.
have GH : - lw^-1 *: (G *m H^T) = dg (fun k => s k * (mu / lw) * q k) *m (means H)^T.
  have -> : G *m H^T = - N%:R^-1 *: (dg m *m (H *m Y^T)^T).
    by rewrite /G -scalemxAl -mulmxA trmx_mul trmxK.
  rewrite HYt trmx_mul dg_tr mulmxA dgM scalerA scalemxAl dgZ; congr (_ *m _).
  by apply: dg_ext => k; rewrite /q -ss; field; rewrite NN lwN muN.
have HG : H *m G^T *m G = (lw * lh) *: (means H *m dg (fun k => q k ^+ 2) *m Y).
  have -> : H *m G^T = - N%:R^-1 *: (means H *m dg (fun k => count k * m k)).
    by rewrite /G trmxZ trmx_mul dg_tr -scalemxAr mulmxA HYt -mulmxA dgM.
  rewrite /G -scalemxAl -scalemxAr scalerA mulmxA -[_ *m dg _ *m dg m]mulmxA dgM.
  have key a u : a *: (means H *m dg u *m Y) = means H *m dg (fun k => a * u k) *m Y.
    by rewrite scalemxAl scalemxAr dgZ.
  rewrite !key; congr (_ *m _ *m _).
  by apply: dg_ext => k; rewrite -mumu /q -ss; field; rewrite NN muN.
have absorb : (forall a k, means H a k * q k = means H a k) -> means H *m dg q = means H.
  by move=> h; apply/matrixP => a k; rewrite mul_dg.
rewrite GH HG; split=> [[e1 e2 /(scalerI lN) e3]|[e1 e2 e3]].
  have ab : means H *m dg q = means H.
    apply: absorb => a k.
    have h : means H a k = means H a k * q k ^+ 2 by rewrite {1}e3 means_Y mul_dg.
    have /eqP : means H a k * (1 - q k) * (1 + q k) = 0.
      by rewrite -mulrA -subr_sqr expr1n mulrBr mulr1 -h subrr.
    rewrite mulf_eq0 [1 + q k == 0]gt_eqF ?orbF; last by rewrite ltr_paddr ?ltr01.
    by rewrite mulrBr mulr1 subr_eq0 => /eqP.
  have abT : dg q *m (means H)^T = (means H)^T by rewrite -{2}ab trmx_mul dg_tr.
  have h1 : H = means H *m Y.
    rewrite {1}e3; congr (_ *m _); rewrite -{2}ab -{2}ab -mulmxA dgM.
    by congr (_ *m _); apply: dg_ext => k; rewrite expr2.
  have h3 : W = dg (fun k => Num.sqrt (count k * lh / lw)) *m (means H)^T.
    rewrite {1}e2 -{2}abT mulmxA dgM; congr (_ *m _).
    by apply: dg_ext => k; rewrite dualE.
  split=> //.
  have {}e1 : dg (fun k => Num.sqrt (count k * lh / lw)) *m (means H)^T *m means H = dg kept.
    by apply: Y_inj; rewrite -mulmxA -h1 -h3.
  apply/matrixP => i j; have := congr1 (fun X : 'M[R]_K => X i j) e1.
  rewrite /= -mulmxA dg_mul !dgE dualE meanE => h.
  apply: (mulfI (_ : s i * (mu / lw) != 0)); first by rewrite !mulf_neq0 ?invr_eq0.
  rewrite h mulrnAr; congr (_ *+ _).
  by field; rewrite sN lwN muN.
have ab : means H *m dg q = means H.
  apply: absorb => a k; case: (slackk k) => [kz|mk]; last first.
    by rewrite /q mk; rewrite mulfVK // mulfV ?mulr1 // gt_eqF.
  have : \sum_b means H b k ^+ 2 = 0.
    transitivity (((means H)^T *m means H) k k); last by rewrite e2 dgE kz mulr0 mul0rn.
    by rewrite [RHS]mxE; apply: eq_bigr => b _; rewrite mxE expr2.
  move/eqP; rewrite psumr_eq0 => [/allP/(_ a (mem_index_enum _))|b _]; last exact: sqr_ge0.
  by rewrite /= sqrf_eq0 => /eqP ->; rewrite mul0r.
have abT : dg q *m (means H)^T = (means H)^T by rewrite -{2}ab trmx_mul dg_tr.
split.
- rewrite e3 {2}e1 mulmxA -(mulmxA (dg _)) e2 dgM; congr (_ *m _).
  by apply: dg_ext => k; rewrite dualE meanE; field; rewrite lwN muN sN.
- rewrite {1}e3 -{1}abT mulmxA dgM; congr (_ *m _).
  by apply: dg_ext => k; rewrite dualE.
congr (_ *: _); rewrite {1}e1; congr (_ *m _); rewrite -{1}ab -{1}ab -mulmxA dgM.
by congr (_ *m _); apply: dg_ext => k; rewrite expr2.
Qed.

Theorem mse_minority_lower W H : minority_value <= f W H.
Proof. by rewrite -minority_dual_value; exact: (collapse_lower lw0 lh0 cert). Qed.

(** The minimum is attained exactly at thresholded orthogonal means. *)
Theorem mse_minority_iff W H : f W H = minority_value <-> imbalanced_collapse W H.
Proof.
have ok : bias_allowed NoBias (0 : 'cV[R]_K) by [].
rewrite -minority_dual_value (collapse_iff lw0 lh0 cert W H ok).
have fit : bregman (mse Y) Zs G (logits W H 0) = 0 <-> W *m H = Zs.
  by rewrite G_grad (mse_bregman_eq0 Y N0) /logits mul0mx addr0.
split=> [[/fit e1 e2 e3 _]|]; first by apply/minority_common_zeros.
by move/minority_common_zeros=> [/fit e1 e2 e3]; split; rewrite ?scale0r.
Qed.

(** Attained as soon as d is at least the number of surviving classes. *)
Theorem mse_minority_attained : (#|[pred k | kept k != 0%R]| <= d)%N ->
  exists W H, f W H = minority_value.
Proof.
move=> dim; pose S := dg (fun k => Num.sqrt (lw / (lh * count k)) * kept k).
have S0 : psd S by apply: dg_psd => k; rewrite mulr_ge0 // sqrtr_ge0.
have rS : (\rank S <= d)%N.
  apply: leq_trans (rank_dg _) (leq_trans _ dim); apply: subset_leq_card.
  by apply/subsetP => k; rewrite !inE mulf_eq0 negb_or => /andP[].
have [M MM] := gram_factor (dg_tr _) S0 rS.
exists (dg (fun k => Num.sqrt (count k * lh / lw)) *m M^T), (M *m Y).
by apply/mse_minority_iff; rewrite /imbalanced_collapse means_Y.
Qed.

Theorem mse_minority_minimisers W H b : (#|[pred k | kept k != 0%R]| <= d)%N ->
  global_min (mse Y) lw lh NoBias W H b <-> b = 0 /\ imbalanced_collapse W H.
Proof.
move=> /mse_minority_attained [W1 [H1 e1]]; split=> [[/= -> mn]|[-> nc]].
  split=> //; apply/mse_minority_iff/eqP; rewrite eq_le mse_minority_lower andbT -e1.
  exact: mn.
split=> // W' H' b' /= ->; rewrite (mse_minority_iff W H).2 //.
exact: mse_minority_lower.
Qed.

(** Minority collapse: at a minimiser the mean of class k vanishes exactly when
    n_k <= N^2 lw lh. *)
Theorem minority_collapse W H k : f W H = minority_value ->
  col k (means H) = 0 <-> count k <= N%:R ^+ 2 * (lw * lh).
Proof.
move=> /mse_minority_iff [_ e _].
have gk : sqF (col k (means H)) = Num.sqrt (lw / (lh * count k)) * kept k.
  transitivity (((means H)^T *m means H) k k); last by rewrite e dgE eqxx.
  rewrite [RHS]mxE /sqF frobE; apply: eq_bigr => a _; rewrite big_ord_recl big_ord0 addr0.
  by rewrite !mxE.
have -> : (count k <= N%:R ^+ 2 * (lw * lh)) = (s k <= T).
  by rewrite -mumu -exprMn -ss ler_pexpn2r ?nnegrE // ltW.
have -> : (s k <= T) = (kept k == 0).
  have -> : (s k <= T) = (1 - T / s k <= 0) by rewrite subr_le0 ler_pdivl_mulr // mul1r.
  by rewrite /kept /pos; case: (leP (1 - T / s k) 0) => h; rewrite ?eqxx // gt_eqF.
have rN : Num.sqrt (lw / (lh * count k)) != 0.
  by rewrite gt_eqF // sqrtr_gt0 divr_gt0 // mulr_gt0.
split=> [z|/eqP z].
  by move/eqP: gk; rewrite z sqF0 eq_sym mulf_eq0 (negbTE rN).
by apply/eqP; rewrite -sqF_eq0 gk z mulr0.
Qed.
End MinorityCollapse.
